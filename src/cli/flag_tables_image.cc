// The flags of the image commands and of login.
#include "cli/flag_tables.h"
#include "cli/grammars.h"

namespace proa::cli {

namespace {

constexpr Flag kImagePull[] = {
    {"all-tags", 'a', Kind::Bool, "Download all tagged images in the repository"},
    {"disable-content-trust", 0, Kind::Bool, "Skip image verification (default true)", "true", check_content_trust},
    {"platform", 0, Kind::String, "Set platform if server is multi-platform capable"},
    {"quiet", 'q', Kind::Bool, "Suppress verbose output"},
};

constexpr Flag kImageLs[] = {
    {"all", 'a', Kind::Bool, "Show all images (default hides intermediate images)"},
    {"digests", 0, Kind::Bool, "Show digests"},
    {"filter", 'f', Kind::Filter, "Filter output based on conditions provided"},
    {"format", 0, Kind::String, kTableFormat},
    {"no-trunc", 0, Kind::Bool, "Don't truncate output"},
    {"quiet", 'q', Kind::Bool, "Only show image IDs"},
};

constexpr Flag kImageRm[] = {
    {"force", 'f', Kind::Bool, "Force removal of the image"},
    {"no-prune", 0, Kind::Bool, "Do not delete untagged parents"},
    {"platform", 0, Kind::Strings,
     "Remove only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")"},
};

constexpr Flag kImageInspect[] = {
    {"format", 'f', Kind::String, kFormat},
    {"platform", 0, Kind::String,
     "Inspect a specific platform of the multi-platform image.\nIf the image or the server is not multi-platform "
     "capable, the command will error out if the platform does not match.\n'os[/arch[/variant]]': Explicit platform "
     "(eg. linux/amd64)"},
};

constexpr Flag kImageHistory[] = {
    {"format", 0, Kind::String, kTableFormat},
    {"human", 'H', Kind::Bool, "Print sizes and dates in human readable format (default true)", "true"},
    {"no-trunc", 0, Kind::Bool, "Don't truncate output"},
    {"platform", 0, Kind::String,
     "Show history for the given platform. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")"},
    {"quiet", 'q', Kind::Bool, "Only show image IDs"},
};

constexpr Flag kImagePrune[] = {
    {"all", 'a', Kind::Bool, "Remove all unused images, not just dangling ones"},
    {"filter", 0, Kind::Filter, "Provide filter values (e.g. \"until=<timestamp>\")"},
    {"force", 'f', Kind::Bool, "Do not prompt for confirmation"},
};

constexpr Flag kImagePush[] = {
    {"all-tags", 'a', Kind::Bool, "Push all tags of an image to the repository"},
    {"disable-content-trust", 0, Kind::Bool, "Skip image signing (default true)", "true", check_content_trust},
    {"platform", 0, Kind::String,
     "Push a platform-specific manifest as a single-platform image to the registry.\nImage index won't be pushed, "
     "meaning that other manifests, including attestations won't be preserved.\n'os[/arch[/variant]]': Explicit "
     "platform (eg. linux/amd64)"},
    {"quiet", 'q', Kind::Bool, "Suppress verbose output"},
};

constexpr Flag kImageSave[] = {
    {"output", 'o', Kind::String, "Write to a file, instead of STDOUT"},
    {"platform", 0, Kind::Strings,
     "Save only the given platform(s). Formatted as a comma-separated list of \"os[/arch[/variant]]\" (e.g., "
     "\"linux/amd64,linux/arm64/v8\")"},
};

constexpr Flag kImageLoad[] = {
    {"input", 'i', Kind::String, "Read from tar archive file, instead of STDIN"},
    {"platform", 0, Kind::Strings,
     "Load only the given platform(s). Formatted as a comma-separated list of \"os[/arch[/variant]]\" (e.g., "
     "\"linux/amd64,linux/arm64/v8\")"},
    {"quiet", 'q', Kind::Bool, "Suppress the load output"},
};

constexpr Flag kImageImport[] = {
    {"change", 'c', Kind::List, "Apply Dockerfile instruction to the created image"},
    {"message", 'm', Kind::String, "Set commit message for imported image"},
    {"platform", 0, Kind::String, "Set platform if server is multi-platform capable"},
};

constexpr Flag kImageGc[] = {
    {"dry-run", 0, Kind::Bool, "Say what would be deleted, and delete nothing"},
    {"keep", 0, Kind::String, "How many of the newest images of each repository stay"},
    {"max-share", 0, Kind::String, "Delete the oldest until the images take at most so many percent of the disk"},
    {"max-size", 0, Kind::String, "... until they take at most so much (\"20g\")"},
    {"min-free", 0, Kind::String, "... until so much of the disk is free"},
};

constexpr Flag kImageTree[] = {
    {"files", 0, Kind::String, "How many of the largest files of each layer to show (default 3)"},
    {"format", 0, Kind::String, "'json': for tools"},
    {"no-trunc", 0, Kind::Bool, "Don't truncate output"},
};

constexpr Flag kRegistryServe[] = {
    {"listen", 0, Kind::String, "Address (default tcp://127.0.0.1:5000)"},
    {"plain-http", 0, Kind::Bool, "Listen on any address without TLS"},
    {"tls-cert", 0, Kind::String, "Certificate (PEM) on the daemon's host, an absolute path"},
    {"tls-key", 0, Kind::String, "Its key (PEM)"},
};

constexpr Flag kSearch[] = {
    {"filter", 'f', Kind::Filter, "Filter output based on conditions provided"},
    {"format", 0, Kind::String, "Pretty-print search using a Go template"},
    {"limit", 0, Kind::Int, "Max number of search results"},
    {"no-trunc", 0, Kind::Bool, "Don't truncate output"},
};

constexpr Flag kCommit[] = {
    {"author", 'a', Kind::String, "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")"},
    {"change", 'c', Kind::List, "Apply Dockerfile instruction to the created image"},
    {"message", 'm', Kind::String, "Commit message"},
    {"pause", 'p', Kind::Bool, "Pause container during commit (default true)", "true"},
};

constexpr Flag kRegistryReferrers[] = {
    {"format", 0, Kind::String, "\"json\": a descriptor per line"},
    {"type", 0, Kind::String, "Only artifacts of this type"},
};

constexpr Flag kLogin[] = {
    {"password", 'p', Kind::String, "Password or Personal Access Token (PAT)"},
    {"password-stdin", 0, Kind::Bool, "Take the Password or Personal Access Token (PAT) from stdin"},
    {"username", 'u', Kind::String, "Username"},
};

}  // namespace

std::span<const Flag> image_pull_flags() { return kImagePull; }
std::span<const Flag> image_ls_flags() { return kImageLs; }
std::span<const Flag> image_rm_flags() { return kImageRm; }
std::span<const Flag> image_inspect_flags() { return kImageInspect; }
std::span<const Flag> image_history_flags() { return kImageHistory; }
std::span<const Flag> image_prune_flags() { return kImagePrune; }
std::span<const Flag> image_push_flags() { return kImagePush; }
std::span<const Flag> image_save_flags() { return kImageSave; }
std::span<const Flag> image_load_flags() { return kImageLoad; }
std::span<const Flag> image_import_flags() { return kImageImport; }
std::span<const Flag> search_flags() { return kSearch; }
std::span<const Flag> image_gc_flags() { return kImageGc; }
std::span<const Flag> image_tree_flags() { return kImageTree; }
std::span<const Flag> registry_serve_flags() { return kRegistryServe; }
std::span<const Flag> registry_referrers_flags() { return kRegistryReferrers; }
std::span<const Flag> container_commit_flags() { return kCommit; }
std::span<const Flag> login_flags() { return kLogin; }

}  // namespace proa::cli
