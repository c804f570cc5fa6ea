#include "oci/reference.h"

#include <algorithm>

#include "base/error.h"
#include "base/id.h"
#include "base/text.h"

namespace proa::oci {

namespace {

constexpr std::string_view kDefaultDomain = "docker.io";
constexpr std::string_view kLegacyDomain = "index.docker.io";
constexpr std::string_view kOfficial = "library";
constexpr std::size_t kMaxName = 255;

[[noreturn]] void invalid(std::string_view reason = "invalid reference format") {
  throw Error(ErrorKind::InvalidArgument, std::string(reason));
}

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alnum(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }
bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// [a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*
bool is_path_component(std::string_view text) {
  std::size_t i = 0;
  auto word = [&] {
    std::size_t begin = i;
    while (i < text.size() && is_lower_or_digit(text[i])) ++i;
    return i > begin;
  };
  if (!word()) return false;
  while (i < text.size()) {
    std::size_t begin = i;
    if (text[i] == '-') {
      while (i < text.size() && text[i] == '-') ++i;
    } else if (text[i] == '.' || text[i] == '_') {
      ++i;
      if (text[begin] == '_' && i < text.size() && text[i] == '_') ++i;
    }
    if (i == begin || !word()) return false;
  }
  return true;
}

bool is_path(std::string_view path) {
  for (const std::string& component : split(path, '/')) {
    if (!is_path_component(component)) return false;
  }
  return true;
}

bool is_host(std::string_view host) {
  for (const std::string& label : split(host, '.')) {
    if (label.empty() || !is_alnum(label.front()) || !is_alnum(label.back())) return false;
    if (!std::all_of(label.begin(), label.end(), [](char c) { return is_alnum(c) || c == '-'; })) return false;
  }
  return true;
}

// A host name or [IPv6 address], and a port perhaps.
bool is_domain(std::string_view domain) {
  std::string_view host = domain;
  std::optional<std::string_view> port;
  if (domain.starts_with('[')) {
    std::size_t end = domain.find(']');
    if (end == domain.npos || end == 1) return false;
    std::string_view inner = domain.substr(1, end - 1);
    if (!std::all_of(inner.begin(), inner.end(), [](char c) {
          return c == ':' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        })) {
      return false;
    }
    std::string_view rest = domain.substr(end + 1);
    return rest.empty() || (rest.front() == ':' && is_digits(rest.substr(1)));
  }
  std::tie(host, port) = cut(domain, ':');
  return is_host(host) && (!port || is_digits(*port));
}

bool is_tag(std::string_view tag) {
  if (tag.empty() || tag.size() > 128 || !(is_alnum(tag[0]) || tag[0] == '_')) return false;
  return std::all_of(tag.begin(), tag.end(), [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

std::pair<std::string, std::string> split_domain(std::string_view text) {
  auto [first, rest] = cut(text, '/');
  bool names_host =
      rest && (first.find_first_of(".:") != first.npos || first == "localhost" || to_lower(first) != first);
  std::string domain(names_host ? first : kDefaultDomain);
  std::string remainder(names_host ? *rest : text);
  if (domain == kLegacyDomain) domain = kDefaultDomain;
  if (domain == kDefaultDomain && remainder.find('/') == remainder.npos) remainder = cat(kOfficial, "/", remainder);
  return {domain, remainder};
}

}  // namespace

void check_tag(std::string_view tag) {
  if (!is_tag(tag)) invalid("invalid tag format");
}

Reference Reference::parse(std::string_view text) {
  if (is_hex_id(text)) {
    invalid(cat("invalid repository name (", text, "), cannot specify 64-byte hexadecimal strings"));
  }
  auto [domain, remainder] = split_domain(text);
  auto [name_and_tag, digest_text] = cut(remainder, '@');
  auto [path, tag] = cut(name_and_tag, ':');
  if (to_lower(path) != path) invalid(cat("invalid reference format: repository name (", path, ") must be lowercase"));
  if (!is_domain(domain) || !is_path(path) || (tag && !is_tag(*tag))) invalid();
  if (domain.size() + 1 + path.size() > kMaxName) invalid("repository name must not be more than 255 characters");
  Reference reference;
  reference.domain = domain;
  reference.path = path;
  reference.tag = tag.value_or("");
  if (digest_text) {
    // The grammar wants at least 32 hex digits; what is shorter is no reference at all.
    auto [algorithm, encoded] = cut(*digest_text, ':');
    if (algorithm.empty() || !encoded || encoded->size() < 32) invalid();
    reference.digest = Digest::parse(*digest_text);
  }
  return reference;
}

Reference Reference::parse(std::string_view repository, std::string_view tag_or_digest) {
  if (repository.ends_with(':')) repository.remove_suffix(1);  // as dockerd tolerates it
  Reference reference = parse(repository);
  if (tag_or_digest.empty()) return reference;
  if (tag_or_digest.find(':') != tag_or_digest.npos) {
    reference.tag.clear();
    reference.digest = Digest::parse(tag_or_digest);
  } else {
    check_tag(tag_or_digest);
    reference.tag = tag_or_digest;
  }
  return reference;
}

Reference Reference::with_default_tag() const {
  Reference copy = *this;
  if (tag.empty() && digest.empty()) copy.tag = "latest";
  return copy;
}

Reference Reference::without_digest() const {
  Reference copy = *this;
  copy.digest = {};
  return copy;
}

std::string Reference::name() const { return cat(domain, "/", path); }

std::string Reference::familiar_name() const {
  if (domain != kDefaultDomain) return name();
  std::string official = cat(kOfficial, "/");
  // A shorter name that would mean something else ("library/a/b" without its prefix, "docker.io/example.com/a" without
  // its domain, an ID) is none.
  for (const std::string& shorter : {path.starts_with(official) ? path.substr(official.size()) : path, path})
    if (!is_hex_id(shorter) && split_domain(shorter) == std::pair(domain, path)) return shorter;
  return name();
}

namespace {
std::string with_suffixes(std::string name, const Reference& reference) {
  if (!reference.tag.empty()) name += cat(":", reference.tag);
  if (!reference.digest.empty()) name += cat("@", reference.digest.text());
  return name;
}
}  // namespace

std::string Reference::text() const { return with_suffixes(name(), *this); }
std::string Reference::familiar() const { return with_suffixes(familiar_name(), *this); }
std::string Reference::tag_or_digest() const { return digest.empty() ? tag : digest.text(); }

std::variant<Digest, Reference> parse_any_reference(std::string_view text) {
  if (is_hex_id(text)) return Digest::from_hex(text);
  if (auto digest = Digest::try_parse(text)) return *digest;
  return Reference::parse(text);
}

}  // namespace proa::oci
