// cp: files between a container and here, as tar streams.
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "api/path_stat.h"
#include "archive/layer_entries.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/console.h"
#include "cli/verbs.h"
#include "os/file.h"

namespace proa::cli {

namespace {

struct Place {
  std::string container, path;
};

// "web:/etc" names a container; "/a:b" and "./a:b" do not.
Place parse_place(const std::string& text) {
  auto [container, path] = cut(text, ':');
  if (text.starts_with('/') || !path || container.starts_with('.') || text == "-") return {"", text};
  return {std::string(container), path->starts_with('/') ? std::string(*path) : cat("/", *path)};
}

bool contents_only(std::string_view path) { return path == "." || path.ends_with("/."); }

class FdSource : public ByteSource {
 public:
  explicit FdSource(int fd) : fd_(fd) {}
  std::size_t read(std::span<std::byte> buffer) override {
    ssize_t count;
    do count = ::read(fd_, buffer.data(), buffer.size());
    while (count < 0 && errno == EINTR);
    return static_cast<std::size_t>(os::check(count, "read"));
  }

 private:
  int fd_;
};

class FdSink : public ByteSink {
 public:
  explicit FdSink(int fd) : fd_(fd) {}
  void write(std::span<const std::byte> bytes) override {
    os::write_all(fd_, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    count += bytes.size();
  }
  std::uint64_t count = 0;

 private:
  int fd_;
};

// An archive whose top entry gets another name ("" : its children lose their first component and it goes).
class RenamedArchive : public ByteSource {
 public:
  RenamedArchive(ByteSource& from, std::string name, bool drop_top, bool dot_top)
      : reader_(from), name_(std::move(name)), drop_top_(drop_top), dot_top_(dot_top) {}

  std::size_t read(std::span<std::byte> buffer) override {
    while (sink_.pending.empty() && !finished_) step();
    std::size_t count = std::min(buffer.size(), sink_.pending.size());
    std::copy_n(sink_.pending.begin(), count, buffer.begin());
    sink_.pending.erase(sink_.pending.begin(), sink_.pending.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }

 private:
  struct Sink : ByteSink {
    std::vector<std::byte> pending;
    void write(std::span<const std::byte> bytes) override { pending.insert(pending.end(), bytes.begin(), bytes.end()); }
  };

  void step() {
    if (in_entry_) {
      if (auto bytes = reader_.chunk(); !bytes.empty()) return writer_.write(bytes);
      in_entry_ = false;
    }
    const archive::TarEntry* entry = reader_.next();
    if (!entry) {
      finished_ = true;
      return writer_.finish();
    }
    if (entry->is_sparse) throw Error(ErrorKind::NotImplemented, cat("cannot copy the sparse file ", entry->path));
    archive::TarEntry renamed = *entry;
    renamed.path = new_name(entry->path);
    if (renamed.path.empty()) return;
    if (renamed.type == archive::EntryType::HardLink) renamed.link_target = new_name(entry->link_target);
    writer_.begin(renamed);
    in_entry_ = true;
  }

  std::string new_name(std::string_view path) const {
    while (path.starts_with("./") || path.starts_with("/")) path.remove_prefix(path[0] == '.' ? 2 : 1);
    if (path == ".") path = "";
    auto [top, rest] = cut(path, '/');
    if (dot_top_) rest = path;  // "./a": the top entry is "." itself
    if (drop_top_) return std::string(rest.value_or(""));
    return rest && !rest->empty() ? cat(name_, "/", *rest) : name_;
  }

  archive::TarReader reader_;
  Sink sink_;
  archive::TarWriter writer_{sink_};
  std::string name_;
  bool drop_top_, dot_top_, in_entry_ = false, finished_ = false;
};

// Where an archive goes and what its top entry is to be called there (drop_top: it is the directory itself).
struct Target {
  std::string directory, name;
  bool drop_top = false;
};

// docker's rules for cp (archive.PrepareArchiveCopy).
Target target_of(const std::string& destination, bool exists, bool is_directory, const std::string& source_name,
                 bool source_is_directory, bool contents) {
  std::string path = destination;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  std::string parent(os::dir_name(path)), base(os::base_name(path));
  if (exists && is_directory) return {destination, source_name, contents};
  if (exists && source_is_directory) throw ExitWith{1, "cannot copy directory"};
  if (!exists && !source_is_directory && destination.ends_with('/')) throw ExitWith{1, "no such directory"};
  return {parent.empty() ? "." : parent, base, false};
}

void report(std::uint64_t bytes, const std::string& where, bool quiet) {
  if (!quiet && is_terminal(STDERR_FILENO))
    err_line(cat("Successfully copied ", human_size(static_cast<double>(bytes), 3), " to ", where));
}

std::optional<api::PathStat> stat_in_container(Session& session, const Place& place) {
  client::Reply reply = session.try_call("HEAD", container_path(place.container, "archive"), {{"path", place.path}});
  if (reply.status == 404) {  // of the container or of the path: only the latter may be
    session.get(container_path(place.container, "json"));
    return std::nullopt;
  }
  if (reply.status >= 400)
    throw ExitWith{1, cat("Error response from daemon: cannot access ", place.path, " in ", place.container)};
  return api::decode_path_stat(reply.headers.get("X-Docker-Container-Path-Stat"));
}

// The stat of the path, a link as last component followed; `place` is then where it leads.
std::optional<api::PathStat> followed_stat(Session& session, Place& place) {
  auto stat = stat_in_container(session, place);
  if (!stat || stat->link_target.empty()) return stat;
  place.path =
      stat->link_target.starts_with('/') ? stat->link_target : cat(os::dir_name(place.path), "/", stat->link_target);
  return stat_in_container(session, place);
}

bool is_go_directory(const api::PathStat& stat) { return S_ISDIR(api::mode_from_go(stat.mode)); }

int copy_from(Call& call, Place source, const std::string& destination) {
  std::string name(os::base_name(contents_only(source.path) ? os::dir_name(source.path) : source.path));
  if (call.flags.on("follow-link")) followed_stat(call.session, source);
  StreamRequest request;
  request.path = container_path(source.container, "archive");
  request.query.add("path", source.path);
  auto response = call.session.stream(request);
  if (destination == "-") {
    std::vector<std::byte> buffer(64 << 10);
    while (std::size_t count = response->read(buffer)) out({reinterpret_cast<const char*>(buffer.data()), count});
    return 0;
  }
  api::PathStat stat = api::decode_path_stat(response->headers.get("X-Docker-Container-Path-Stat"));
  struct stat info {};
  bool exists = ::stat(destination.c_str(), &info) == 0;
  Target target = target_of(destination, exists, exists && S_ISDIR(info.st_mode), name, is_go_directory(stat),
                            contents_only(source.path));
  if (!os::exists(target.directory))
    throw ExitWith{1, cat("invalid output path: directory ", quoted(target.directory), " does not exist")};
  RenamedArchive renamed(*response, target.name, target.drop_top, contents_only(source.path));
  archive::TarReader reader(renamed);
  archive::ExtractOptions options;
  options.whiteouts = archive::Whiteouts::Keep;
  options.no_overwrite_dir_non_dir = true;
  if (!call.flags.on("archive")) options.owner = archive::Owner{::geteuid(), ::getegid()};
  archive::ExtractResult result = archive::extract(reader, os::RootedDir::open(target.directory), options);
  report(result.bytes, destination, call.flags.on("quiet"));
  return 0;
}

std::uint64_t upload(Call& call, const Place& destination, const std::string& directory, ByteSource& tar) {
  StreamRequest request;
  request.method = "PUT";
  request.path = container_path(destination.container, "archive");
  request.query.add("path", directory);
  request.query.add("noOverwriteDirNonDir", "true");
  if (call.flags.on("archive")) request.query.add("copyUIDGID", "true");
  request.upload = &tar;
  request.content_type = "application/x-tar";
  call.session.stream(request)->read_all();
  return 0;
}

int copy_to(Call& call, const std::string& source, Place destination) {
  Place shown = destination;
  auto stat = followed_stat(call.session, destination);
  bool exists = stat.has_value(), is_directory = stat && is_go_directory(*stat);
  if (source == "-") {
    if (!is_directory)
      throw ExitWith{1, cat("destination ", quoted(cat(shown.container, ":", shown.path)), " must be a directory")};
    FdSource input(STDIN_FILENO);
    upload(call, destination, destination.path, input);
    return 0;
  }
  bool contents = contents_only(source);
  std::string path = source, name(os::base_name(os::clean_path(source)));
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  struct stat info {};
  bool follow = call.flags.on("follow-link") || contents || source.ends_with('/');
  if ((follow ? ::stat(path.c_str(), &info) : ::lstat(path.c_str(), &info)) != 0) {
    std::string why = os::errno_text(errno);  // before getcwd sets another
    char directory[PATH_MAX];
    std::string full =
        path.starts_with('/') || !::getcwd(directory, sizeof directory) ? path : os::path_join(directory, path);
    throw ExitWith{1, cat(follow ? "stat " : "lstat ", full, ": ", why)};
  }
  if (follow || contents || name == ".." || name == ".") {
    char resolved[PATH_MAX];
    if (::realpath(path.c_str(), resolved)) path = resolved;
    if (name == ".." || name == ".") name = os::base_name(path);
  }
  Target target = target_of(destination.path, exists, is_directory, name, S_ISDIR(info.st_mode), contents);
  auto [reading, writing] = os::make_pipe();
  std::string parent(os::dir_name(path));
  os::RootedDir root = os::RootedDir::open(parent.empty() ? "." : parent);
  FdSink sink(writing.get());
  std::exception_ptr failure;
  std::thread packer([&] {
    try {
      archive::TarWriter tar(sink);
      archive::pack(root, {.path = std::string(os::base_name(path)), .name = target.drop_top ? "" : target.name}, tar);
      tar.finish();
    } catch (...) {
      failure = std::current_exception();
    }
    writing.reset();
  });
  std::exception_ptr refused;
  try {
    FdSource tar(reading.get());
    upload(call, destination, target.directory, tar);
  } catch (...) {
    refused = std::current_exception();
  }
  reading.reset();
  packer.join();
  if (refused) std::rethrow_exception(refused);
  if (failure) std::rethrow_exception(failure);
  report(sink.count, cat(shown.container, ":", shown.path), call.flags.on("quiet"));
  return 0;
}

}  // namespace

int run_copy(Call& call) {
  const std::string &from = call.arguments()[0], &to = call.arguments()[1];
  if (from.empty() || to.empty())
    throw ExitWith{1, from.empty() ? "source can not be empty" : "destination can not be empty"};
  Place source = parse_place(from), destination = parse_place(to);
  if (!source.container.empty() && !destination.container.empty())
    throw ExitWith{1, "copying between containers is not supported"};
  if (source.container.empty() && destination.container.empty())
    throw ExitWith{1, "must specify at least one container source"};
  if (!source.container.empty()) return copy_from(call, source, to);
  ::signal(SIGPIPE, SIG_IGN);  // the daemon may refuse while we still send
  return copy_to(call, from, destination);
}

}  // namespace proa::cli
