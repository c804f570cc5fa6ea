#include "runtime/criu_message.h"

#include "base/error.h"

namespace proa::runtime::criu {
namespace {

enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

class Writer {
 public:
  void number(std::uint32_t field, std::int64_t value) {
    varint(field << 3 | kVarint);
    varint(static_cast<std::uint64_t>(value));
  }
  void flag(std::uint32_t field, bool value) {
    if (value) number(field, 1);
  }
  void descriptor(std::uint32_t field, int value) {
    if (value >= 0) number(field, value);
  }
  void bytes(std::uint32_t field, std::string_view value) {
    varint(field << 3 | kBytes);
    varint(value.size());
    out_ += value;
  }
  void text(std::uint32_t field, std::string_view value) {
    if (!value.empty()) bytes(field, value);
  }
  std::string take() { return std::move(out_); }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }
  std::string out_;
};

struct Field {
  std::uint32_t number = 0;
  std::int64_t value = 0;  // of a varint
  std::string_view bytes;  // of the rest
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  std::optional<Field> next() {
    if (in_.empty()) return std::nullopt;
    auto key = varint();
    Field field{static_cast<std::uint32_t>(key >> 3), 0, {}};
    switch (key & 7) {
      case kVarint:
        field.value = static_cast<std::int64_t>(varint());
        break;
      case kFixed64:
        field.bytes = take(8);
        break;
      case kBytes:
        field.bytes = take(varint());
        break;
      case kFixed32:
        field.bytes = take(4);
        break;
      default:
        bad();
    }
    return field;
  }

 private:
  [[noreturn]] static void bad() { throw Error(ErrorKind::DataLoss, "criu sent a broken message"); }
  std::string_view take(std::uint64_t size) {
    if (size > in_.size()) bad();
    auto out = in_.substr(0, static_cast<std::size_t>(size));
    in_.remove_prefix(static_cast<std::size_t>(size));
    return out;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    bad();
  }
  std::string_view in_;
};

std::string encode_pair(const Pair& pair) {
  Writer out;
  out.text(1, pair.first);
  out.bytes(2, pair.second);
  return out.take();
}

std::string encode_options(const Options& options) {
  Writer out;
  out.number(1, options.images_dir_fd);
  out.descriptor(2, options.pid);
  out.flag(3, options.leave_running);
  out.flag(4, options.ext_unix_sk);
  out.flag(5, options.tcp_established);
  out.flag(6, options.evasive_devices);
  out.flag(7, options.shell_job);
  out.flag(8, options.file_locks);
  out.number(9, 4);  // log_level: debug
  out.text(10, options.log_file);
  if (options.page_server) {
    Writer server;
    server.text(1, options.page_server->first);
    server.number(2, options.page_server->second);
    out.bytes(11, server.take());
  }
  out.flag(12, true);  // notify_scripts
  out.text(13, options.root);
  out.text(14, options.parent_img);
  out.flag(15, options.track_mem);
  out.flag(16, options.auto_dedup);
  out.descriptor(17, options.work_dir_fd);
  out.flag(18, options.link_remap);
  for (const auto& one : options.ext_mnt) out.bytes(23, encode_pair(one));
  out.flag(24, true);  // manage_cgroups, in the manner of 34
  for (const auto& one : options.cg_root) out.bytes(25, encode_pair(one));
  out.flag(26, options.rst_sibling);
  for (const auto& [key, fd] : options.inherit_fd) {
    Writer one;
    one.text(1, key);
    one.number(2, fd);
    out.bytes(27, one.take());
  }
  out.number(34, static_cast<int>(options.cgroups));
  for (const auto& one : options.external) out.text(37, one);
  if (options.empty_ns != 0) out.number(38, options.empty_ns);
  for (const auto& one : options.join_ns) out.bytes(39, encode_pair(one));
  out.text(44, options.freeze_cgroup);
  out.flag(46, options.tcp_skip_in_flight);
  out.flag(48, options.lazy_pages);
  out.descriptor(49, options.status_fd);
  out.flag(50, true);  // orphan_pts_master
  out.text(53, options.lsm_profile);
  out.text(63, options.lsm_mount_context);
  return out.take();
}

void read_notification(std::string_view bytes, Answer& answer) {
  Reader in(bytes);
  while (auto field = in.next()) {
    if (field->number == 1) answer.script = field->bytes;
    if (field->number == 2) answer.pid = static_cast<int>(field->value);
  }
}

void read_version(std::string_view bytes, Answer& answer) {
  Reader in(bytes);
  while (auto field = in.next()) {
    if (field->value < 0 || field->value > 99) continue;
    constexpr int kWeight[] = {0, 10000, 100, 0, 1};
    if (field->number <= 4) answer.version += static_cast<int>(field->value) * kWeight[field->number];
  }
}

void read_features(std::string_view bytes, Answer& answer) {
  Reader in(bytes);
  while (auto field = in.next()) {
    if (field->number == 1) answer.mem_track = field->value != 0;
    if (field->number == 2) answer.lazy_pages = field->value != 0;
  }
}

}  // namespace

std::string encode_request(Kind kind, const Options* options) {
  Writer out;
  out.number(1, static_cast<int>(kind));
  if (options) out.bytes(2, encode_options(*options));
  if (kind == Kind::Features) {
    Writer wanted;
    wanted.flag(1, true);
    wanted.flag(2, true);
    out.bytes(5, wanted.take());
  }
  return out.take();
}

std::string encode_notified(bool success) {
  Writer out;
  out.number(1, static_cast<int>(Kind::Notify));
  out.number(3, success ? 1 : 0);
  return out.take();
}

Answer decode_answer(std::string_view bytes) {
  Answer answer;
  Reader in(bytes);
  while (auto field = in.next()) {
    switch (field->number) {
      case 1:
        answer.kind = static_cast<Kind>(field->value);
        break;
      case 2:
        answer.success = field->value != 0;
        break;
      case 4: {
        Reader restored(field->bytes);
        while (auto one = restored.next()) {
          if (one->number == 1) answer.pid = static_cast<int>(one->value);
        }
        break;
      }
      case 5:
        read_notification(field->bytes, answer);
        break;
      case 7:
        answer.error = static_cast<int>(field->value);
        break;
      case 8:
        read_features(field->bytes, answer);
        break;
      case 9:
        answer.message = field->bytes;
        break;
      case 10:
        read_version(field->bytes, answer);
        break;
    }
  }
  return answer;
}

}  // namespace proa::runtime::criu
