#include "archive/tar_writer.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "archive/tar_format.h"
#include "base/error.h"
#include "base/text.h"

namespace proa::archive {

using namespace format;

namespace {

char flag_of(EntryType type) {
  constexpr char kFlags[] = {'0', '1', '2', '3', '4', '5', '6'};
  return kFlags[static_cast<int>(type)];
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0; });
}

std::string to_ascii(std::string_view text) {
  std::string out;
  std::copy_if(text.begin(), text.end(), std::back_inserter(out), [](char c) { return c > 0; });
  return out;
}

// A header block as Go's formatter fills it.
class Header {
 public:
  // A text that is cut does not end in a slash: old readers would take a file for a directory.
  void text(FieldAt at, std::string_view value) {
    std::string kept = to_ascii(value);
    std::memcpy(block_ + at.offset, kept.data(), std::min(kept.size(), at.size));
    if (kept.size() > at.size && block_[at.offset + at.size - 1] == '/') {
      std::size_t size = at.size;
      while (size > 0 && block_[at.offset + size - 1] == '/') block_[at.offset + --size] = '\0';
    }
  }
  static bool fits(FieldAt at, std::int64_t value) {
    return value >= 0 && value < std::int64_t{1} << (3 * (at.size - 1));
  }
  // Octal with leading zeros; 0 where it does not fit (a PAX record then has it).
  void number(FieldAt at, std::int64_t value) {
    if (!fits(at, value)) value = 0;
    for (std::size_t i = at.size - 1; i-- > 0; value >>= 3)
      block_[at.offset + i] = static_cast<char>('0' + (value & 7));
  }
  void type(char flag) { block_[kType.offset] = flag; }
  std::span<const std::byte> finish() {
    std::memcpy(block_ + kMagic.offset, "ustar\00000", 8);
    auto sum = checksums(reinterpret_cast<const std::byte*>(block_)).first;
    number({kChecksum.offset, kChecksum.size - 1}, sum);
    block_[kChecksum.offset + 7] = ' ';
    return std::as_bytes(std::span(block_));
  }

 private:
  char block_[kBlock] = {};
};

// What the plain header cannot hold, sorted by name.
std::map<std::string, std::string> pax_records(const TarEntry& entry) {
  std::map<std::string, std::string> records;
  auto text = [&](const char* key, const std::string& value, FieldAt at) {
    if (!is_ascii(value) || value.size() > at.size) records[key] = value;
  };
  auto number = [&](const char* key, std::int64_t value, FieldAt at) {
    if (!Header::fits(at, value)) records[key] = cat(value);
  };
  text("path", entry.path, kName);
  text("linkpath", entry.link_target, kLink);
  text("uname", entry.user, kUser);
  text("gname", entry.group, kGroup);
  number("uid", entry.uid, kUid);
  number("gid", entry.gid, kGid);
  number("size", static_cast<std::int64_t>(entry.size), kSize);
  if (entry.mtime_nanos != 0) {
    // Go writes a negative time with a fraction as whole seconds towards zero and the rest.
    bool negative = entry.mtime < 0;
    std::int64_t seconds = negative ? -(entry.mtime + 1) : entry.mtime;
    std::string nanos = cat(negative ? 1'000'000'000 - entry.mtime_nanos : entry.mtime_nanos);
    nanos.insert(0, 9 - nanos.size(), '0');
    nanos.erase(nanos.find_last_not_of('0') + 1);
    records["mtime"] = cat(negative ? "-" : "", seconds, ".", nanos);
  } else {
    number("mtime", entry.mtime, kMtime);
  }
  for (const auto& [name, value] : entry.xattrs) records["SCHILY.xattr." + name] = value;
  return records;
}

}  // namespace

void TarWriter::begin(const TarEntry& entry) {
  pad();
  auto records = pax_records(entry);
  if (!records.empty()) {
    std::string body;
    for (const auto& [key, value] : records) body += pax_record(key, value);
    auto slash = entry.path.rfind('/');
    std::string directory = slash == entry.path.npos ? "" : entry.path.substr(0, slash);
    std::string file = slash == entry.path.npos ? entry.path : entry.path.substr(slash + 1);
    std::string name = to_ascii(
        cat(directory, directory.empty() && slash != 0 ? "" : "/", "PaxHeaders.0", file.empty() ? "" : "/", file));
    name = name.substr(0, kName.size);
    while (name.ends_with('/')) name.pop_back();
    Header pax;
    pax.text(kName, name);
    pax.type('x');
    for (FieldAt at : {kMode, kUid, kGid, kMtime}) pax.number(at, 0);
    pax.number(kSize, static_cast<std::int64_t>(body.size()));
    to_.write(pax.finish());
    left_ = body.size();
    padding_ = (kBlock - body.size() % kBlock) % kBlock;
    write(std::as_bytes(std::span(body.data(), body.size())));
    pad();
  }
  Header header;
  header.text(kName, entry.path);
  header.text(kLink, entry.link_target);
  header.type(flag_of(entry.type));
  header.number(kMode, entry.mode);
  header.number(kUid, entry.uid);
  header.number(kGid, entry.gid);
  header.number(kSize, static_cast<std::int64_t>(entry.size));
  header.number(kMtime, entry.mtime);
  header.text(kUser, entry.user);
  header.text(kGroup, entry.group);
  header.number(kMajor, entry.device_major);
  header.number(kMinor, entry.device_minor);
  to_.write(header.finish());
  left_ = entry.type == EntryType::File ? entry.size : 0;
  padding_ = (kBlock - left_ % kBlock) % kBlock;
}

void TarWriter::write(std::span<const std::byte> bytes) {
  if (bytes.size() > left_) throw Error(ErrorKind::Internal, "tar: more content than its header says");
  left_ -= bytes.size();
  to_.write(bytes);
}

void TarWriter::add(const TarEntry& entry, std::string_view content) {
  begin(entry);
  write(std::as_bytes(std::span(content.data(), content.size())));
}

void TarWriter::pad() {
  if (left_ > 0) throw Error(ErrorKind::Internal, "tar: less content than its header says");
  constexpr std::byte kZeros[kBlock] = {};
  if (padding_ > 0) to_.write(std::span(kZeros).first(static_cast<std::size_t>(padding_)));
  padding_ = 0;
}

void TarWriter::finish() {
  pad();
  constexpr std::byte kZeros[2 * kBlock] = {};
  to_.write(kZeros);
}

}  // namespace proa::archive
