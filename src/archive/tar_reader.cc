#include "archive/tar_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "archive/tar_format.h"
#include "base/error.h"
#include "base/text.h"

namespace proa::archive {

using namespace format;

namespace {

constexpr std::size_t kBuffer = 256 << 10;
constexpr std::int64_t kMaxSize = std::int64_t{1} << 60;
constexpr std::size_t kMaxXattrName = 255, kMaxXattrValue = (64 << 10) - 1;
constexpr std::string_view kXattrPrefix = "SCHILY.xattr.";
constexpr std::string_view kSparsePrefix = "GNU.sparse.";

std::uint64_t padding_of(std::uint64_t size) { return (kBlock - size % kBlock) % kBlock; }

std::optional<EntryType> type_of(char flag, std::string_view path) {
  switch (flag) {
    case '\0':
      return path.ends_with('/') ? EntryType::Directory : EntryType::File;
    case '0':
    case '7':
    case 'S':
      return EntryType::File;
    case '1':
      return EntryType::HardLink;
    case '2':
      return EntryType::Symlink;
    case '3':
      return EntryType::CharDevice;
    case '4':
      return EntryType::BlockDevice;
    case '5':
      return EntryType::Directory;
    case '6':
      return EntryType::Fifo;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string_view to_string(EntryType type) {
  constexpr std::string_view kNames[] = {"file",         "hard link", "symlink", "character device",
                                         "block device", "directory", "fifo"};
  return kNames[static_cast<int>(type)];
}

// What PAX and GNU headers said before the entry they belong to.
struct TarReader::Extensions {
  Records records;
  std::optional<std::string> long_name, long_link;
  bool has_pax = false;
  bool any() const { return has_pax || long_name || long_link; }
  const std::string* find(std::string_view key) const {
    const std::string* found = nullptr;  // the last one wins
    for (const auto& [name, value] : records) {
      if (name == key) found = &value;
    }
    return found;
  }
};

TarReader::TarReader(ByteSource& from, TarLimits limits) : from_(from), limits_(limits), buffer_(kBuffer) {}

void TarReader::bad(std::string_view what) const {
  std::string where = entry_.path.empty() ? "" : cat(" entry ", quoted(entry_.path.substr(0, 200)));
  throw Error(ErrorKind::InvalidArgument, cat("tar", where, ": ", what));
}

bool TarReader::fill(std::size_t wanted) {
  if (end_ - begin_ >= wanted) return true;
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  while (end_ < wanted && !ended_) {
    std::size_t got = from_.read(std::span(buffer_).subspan(end_));
    ended_ = got == 0;
    end_ += got;
    received_ += got;
  }
  return end_ >= wanted;
}

const std::byte* TarReader::take(std::size_t size, std::string_view what) {
  if (!fill(size)) bad(cat("unexpected end of archive in ", what));
  begin_ += size;
  return buffer_.data() + begin_ - size;
}

std::span<const std::byte> TarReader::chunk() {
  if (left_ == 0) return {};
  if (!fill(1)) bad("unexpected end of archive in the content");
  std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, end_ - begin_));
  auto piece = std::span(buffer_).subspan(begin_, size);
  begin_ += size;
  left_ -= size;
  return piece;
}

std::string TarReader::read_content(std::size_t limit) {
  if (left_ > limit) bad(cat("larger than ", limit, " bytes"));
  std::string content;
  content.reserve(static_cast<std::size_t>(left_));
  for (auto piece = chunk(); !piece.empty(); piece = chunk()) {
    content.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  return content;
}

// false: the input ended right after the content, its padding was never written.
bool TarReader::skip_content() {
  while (!chunk().empty()) {
  }
  auto padding = static_cast<std::size_t>(padding_);
  padding_ = 0;
  if (padding > 0 && !fill(padding)) {
    if (begin_ != end_) bad("unexpected end of archive after the content");
    return false;
  }
  begin_ += padding;
  return true;
}

void TarReader::drain() {
  finished_ = true;
  left_ = padding_ = 0;
  do {
    begin_ = end_ = 0;
  } while (fill(1));
}

std::string TarReader::read_extension(std::string_view what) {
  if (left_ > limits_.header) bad(cat(what, " is larger than ", limits_.header, " bytes"));
  std::string text = read_content(limits_.header);
  skip_content();
  return text;
}

const TarEntry* TarReader::next() {
  if (finished_) return nullptr;
  Extensions extensions;
  bool whole = skip_content();
  entry_ = {};
  for (int headers = 0; whole;) {
    if (!fill(1)) break;  // ended without a trailer: accepted, as by GNU tar and Go
    const std::byte* block = take(kBlock, "a header");
    if (is_zero(block)) {
      // One zero block and then more is damage (Go refuses it too); one and then the end is sloppy, but common.
      if (fill(1) && !is_zero(take(kBlock, "the trailer"))) bad("a lone zero block inside the archive");
      break;
    }
    if (!checksum_holds(block)) bad("invalid header checksum");
    if (!parse_header(block)) {
      if (++headers > 16) bad("too many extension headers");
      switch (type_) {
        case 'x': {
          auto records = parse_pax(read_extension("PAX header"));
          if (!records) bad("malformed PAX header");
          if (extensions.has_pax) bad("two PAX headers for one entry");
          extensions.records = std::move(*records);
          extensions.has_pax = true;
          break;
        }
        case 'g':  // checked, not applied: as Go and so as docker do
          if (!parse_pax(read_extension("global PAX header"))) bad("malformed global PAX header");
          break;
        case 'L':
          extensions.long_name = read_extension("long name");
          break;
        default:
          extensions.long_link = read_extension("long link name");
      }
      entry_ = {};
      continue;
    }
    apply(extensions);
    return &entry_;
  }
  entry_ = {};
  if (extensions.any()) bad("an extension header without its entry");
  finished_ = true;
  return nullptr;
}

bool TarReader::parse_header(const std::byte* block) {
  auto numeric = [&](FieldAt at, std::string_view name) {
    auto value = number(field(block, at));
    if (!value) bad(cat("invalid ", name));
    return *value;
  };
  auto in_range = [&](std::int64_t value, std::int64_t limit, std::string_view name) {
    if (value < 0 || value > limit) bad(cat(name, " ", value, " is out of range"));
    return value;
  };
  entry_ = {};
  entry_.path = text(block, kName);
  std::string_view magic = field(block, kMagic);
  bool gnu = magic.starts_with("ustar  ");
  bool posix = magic.starts_with(std::string_view("ustar\0", 6));
  if (posix) {
    bool star = field(block, kStarTrailer) == std::string_view("tar\0", 4);
    std::string_view prefix = text(block, star ? kStarPrefix : kPrefix);
    if (!prefix.empty()) entry_.path = cat(prefix, "/", entry_.path);
  }
  type_ = field(block, kType)[0];
  std::int64_t size = in_range(numeric(kSize, "size"), kMaxSize, "size");
  left_ = static_cast<std::uint64_t>(size);
  padding_ = padding_of(left_);
  if (type_ == 'x' || type_ == 'g' || type_ == 'L' || type_ == 'K') return false;
  entry_.size = left_;
  entry_.link_target = text(block, kLink);
  entry_.mode = static_cast<std::uint32_t>(numeric(kMode, "mode") & 07777);
  // Ranges are checked once PAX had its say.
  entry_.mtime = numeric(kMtime, "mtime");
  std::int64_t uid = numeric(kUid, "uid"), gid = numeric(kGid, "gid");
  entry_.uid = static_cast<std::uint32_t>(in_range(uid, UINT32_MAX - 1, "uid"));
  entry_.gid = static_cast<std::uint32_t>(in_range(gid, UINT32_MAX - 1, "gid"));
  if (gnu || posix) {
    entry_.user = text(block, kUser);
    entry_.group = text(block, kGroup);
    if (type_ == '3' || type_ == '4') {  // 12 and 20 bits in the kernel's dev_t
      entry_.device_major =
          static_cast<std::uint32_t>(in_range(numeric(kMajor, "device major"), 0xfff, "device major"));
      entry_.device_minor =
          static_cast<std::uint32_t>(in_range(numeric(kMinor, "device minor"), 0xfffff, "device minor"));
    }
  }
  if (type_ == 'S') {
    if (!gnu) bad("a sparse file outside GNU's format");
    read_old_sparse(block);
  }
  return true;
}

// Brings the header of entry_ together with what was said before it, and settles what its content is.
void TarReader::apply(const Extensions& extensions) {
  if (extensions.long_name) entry_.path = extensions.long_name->substr(0, extensions.long_name->find('\0'));
  if (extensions.long_link) entry_.link_target = extensions.long_link->substr(0, extensions.long_link->find('\0'));
  for (const auto& [key, value] : extensions.records) {
    if (!key.starts_with(kSparsePrefix)) apply_record(key, value);
  }
  auto type = type_of(type_, entry_.path);
  if (!type) bad(cat("unknown entry type ", quoted(std::string_view(&type_, 1))));
  entry_.type = *type;

  if (entry_.type == EntryType::File && type_ != 'S') {
    const std::string* major = extensions.find("GNU.sparse.major");
    const std::string* minor = extensions.find("GNU.sparse.minor");
    const std::string* real = extensions.find("GNU.sparse.realsize");
    if (!real) real = extensions.find("GNU.sparse.size");
    bool in_content = major && *major == "1" && minor && *minor == "0";
    bool any = false;
    for (const auto& [key, value] : extensions.records) {
      if (!key.starts_with(kSparsePrefix)) continue;
      any = true;
      if (!in_content) apply_record(key, value);
    }
    if (any && (entry_.is_sparse || in_content)) {
      if (const std::string* name = extensions.find("GNU.sparse.name")) entry_.path = *name;
      auto size = real ? parse_int<std::int64_t>(*real) : std::nullopt;
      if (!size || *size < 0 || *size > kMaxSize) bad("a sparse file without a valid real size");
      entry_.is_sparse = true;
      entry_.size = static_cast<std::uint64_t>(*size);
      if (in_content) read_sparse_map();
    }
  }
  if (entry_.path.size() > limits_.path) bad(cat("path is longer than ", limits_.path, " bytes"));
  if (entry_.link_target.size() > limits_.path) bad(cat("link target is longer than ", limits_.path, " bytes"));
  if (entry_.is_sparse) check_sparse();
  if (entry_.type != EntryType::File) {
    // By POSIX (and Go) these have no content whatever their size says; GNU tar skips one. The next block tells.
    if (left_ > 0 && (entry_.type == EntryType::HardLink || next_is_header())) left_ = padding_ = 0;
    entry_.size = 0;
  }
}

bool TarReader::next_is_header() {
  if (!fill(kBlock)) return begin_ == end_;
  const std::byte* block = buffer_.data() + begin_;
  return is_zero(block) || checksum_holds(block);
}

void TarReader::apply_record(const std::string& key, const std::string& value) {
  auto id = [&]() -> std::uint32_t {
    auto number = parse_int<std::int64_t>(value);
    if (!number || *number < 0 || *number >= UINT32_MAX) bad(cat(key, " ", quoted(value), " is out of range"));
    return static_cast<std::uint32_t>(*number);
  };
  auto offset = [&](std::string_view text) -> std::uint64_t {
    auto number = parse_int<std::int64_t>(text);
    if (!number || *number < 0 || *number > kMaxSize) bad("invalid sparse map");
    return static_cast<std::uint64_t>(*number);
  };
  auto add_offset = [&](std::string_view text) {
    if (entry_.sparse.size() >= limits_.sparse_regions) bad("too many sparse regions");
    entry_.sparse.push_back({offset(text), UINT64_MAX});
    entry_.is_sparse = true;
  };
  auto add_length = [&](std::string_view text) {
    if (entry_.sparse.empty() || entry_.sparse.back().length != UINT64_MAX) bad("invalid sparse map");
    entry_.sparse.back().length = offset(text);
  };
  if (key == "path") {
    if (!value.empty()) entry_.path = value;
  } else if (key == "linkpath") {
    if (!value.empty()) entry_.link_target = value;
  } else if (key == "uid") {
    if (!value.empty()) entry_.uid = id();
  } else if (key == "gid") {
    if (!value.empty()) entry_.gid = id();
  } else if (key == "uname") {
    entry_.user = value;
  } else if (key == "gname") {
    entry_.group = value;
  } else if (key == "mtime" && !value.empty()) {
    auto time = parse_time(value);
    if (!time) bad(cat("invalid mtime ", quoted(value)));
    entry_.mtime = time->seconds;
    entry_.mtime_nanos = time->nanos;
  } else if (key == "size" && !value.empty()) {
    auto size = parse_int<std::int64_t>(value);
    if (!size || *size < 0 || *size > kMaxSize) bad(cat("size ", quoted(value), " is out of range"));
    entry_.size = left_ = static_cast<std::uint64_t>(*size);
    padding_ = padding_of(left_);
  } else if (key.starts_with(kXattrPrefix)) {
    std::string name = key.substr(kXattrPrefix.size());
    if (name.empty() || name.size() > kMaxXattrName) bad("an extended attribute's name is too long");
    if (value.size() > kMaxXattrValue) bad(cat("extended attribute ", quoted(name), " is too large"));
    entry_.xattrs.emplace_back(std::move(name), value);
  } else if (key == "GNU.sparse.offset") {
    add_offset(value);
  } else if (key == "GNU.sparse.numbytes") {
    add_length(value);
  } else if (key == "GNU.sparse.map") {
    bool even = true;
    entry_.is_sparse = true;
    for (std::string_view rest = value; !rest.empty(); even = !even) {
      auto [first, more] = cut(rest, ',');
      even ? add_offset(first) : add_length(first);
      rest = more.value_or("");
    }
  }
}

void TarReader::read_old_sparse(const std::byte* block) {
  entry_.is_sparse = true;
  auto read = [&](std::string_view field) -> std::uint64_t {
    auto value = number(field);
    if (!value || *value < 0 || *value > kMaxSize) bad("invalid sparse map");
    return static_cast<std::uint64_t>(*value);
  };
  entry_.size = read(field(block, kSparseRealSize));
  auto read_map = [&](std::string_view map) {
    for (; map.size() >= 2 * kSparseNumber; map.remove_prefix(2 * kSparseNumber)) {
      if (map[0] == '\0') return;  // no more of them
      if (entry_.sparse.size() >= limits_.sparse_regions) bad("too many sparse regions");
      entry_.sparse.push_back({read(map.substr(0, kSparseNumber)), read(map.substr(kSparseNumber, kSparseNumber))});
    }
  };
  read_map(field(block, kSparseMap));
  bool more = field(block, kSparseMore)[0] != '\0';
  while (more) {
    const std::byte* next = take(kBlock, "a sparse map");
    read_map(field(next, kSparseNextMap));
    more = field(next, kSparseNextMore)[0] != '\0';
  }
}

// Sparse format 1.0: the map stands before the content as decimal lines, padded to a block.
void TarReader::read_sparse_map() {
  std::string line;
  std::uint64_t used = 0;
  auto read_number = [&]() -> std::uint64_t {
    line.clear();
    for (;;) {
      if (left_ == 0) bad("invalid sparse map");
      char c = static_cast<char>(*take(1, "a sparse map"));
      --left_;
      ++used;
      if (c == '\n') break;
      line += c;
      if (line.size() > 20) bad("invalid sparse map");
    }
    auto value = parse_int<std::int64_t>(line);
    if (!value || *value < 0 || *value > kMaxSize) bad("invalid sparse map");
    return static_cast<std::uint64_t>(*value);
  };
  std::uint64_t count = read_number();
  if (count > limits_.sparse_regions) bad("too many sparse regions");
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t offset = read_number();
    entry_.sparse.push_back({offset, read_number()});
  }
  std::uint64_t rest = padding_of(used);
  if (rest > left_) bad("invalid sparse map");
  take(static_cast<std::size_t>(rest), "a sparse map");
  left_ -= rest;
}

void TarReader::check_sparse() const {
  std::uint64_t at = 0, stored = 0;
  for (const auto& region : entry_.sparse) {
    if (region.length > static_cast<std::uint64_t>(kMaxSize)) bad("invalid sparse map");
    if (region.offset < at || region.offset + region.length > entry_.size)
      bad("sparse regions overlap or leave the file");
    at = region.offset + region.length;
    stored += region.length;
  }
  if (stored != left_) bad("sparse regions and stored size differ");
}

}  // namespace proa::archive
