#include "runtime/resctrl.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <vector>

#include "base/rollback.h"
#include "base/text.h"
#include "os/file.h"
#include "os/mount.h"

namespace proa::runtime {
namespace {

[[noreturn]] void refuse(std::string message) { throw Error(ErrorKind::InvalidArgument, std::move(message)); }

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  for (const auto& line : split(text, '\n')) {
    if (auto words = trim(line); !words.empty()) out.emplace_back(words);
  }
  return out;
}

// "L3:0=7f0;1=1f" -> {"L3", {"0": "7f0", "1": "1f"}}; masks without the zeros that the kernel may put before them.
using Domains = std::map<std::string, std::string>;
std::pair<std::string, Domains> parse_schema(const std::string& line) {
  auto [resource, rest] = cut(line, ':');
  Domains domains;
  for (const auto& part : split(rest.value_or(""), ';')) {
    auto [domain, value] = cut(part, '=');
    auto digits = to_lower(trim(value.value_or("")));
    auto first = std::min(digits.find_first_not_of('0'), digits.empty() ? 0 : digits.size() - 1);
    domains[std::string(trim(domain))] = digits.substr(first);
  }
  return {std::string(trim(resource)), std::move(domains)};
}

// True if it was made now.
bool make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return true;
  if (errno == EEXIST) return false;
  if (errno == ENOSPC) throw Error(ErrorKind::Unavailable, cat("mkdir ", path, ": this processor has no more groups"));
  os::fail(cat("mkdir ", path));
}

void write_schemata(const std::string& directory, const std::string& lines) {
  try {
    os::write_file(os::path_join(directory, "schemata"), lines);
  } catch (const Error& error) {
    // The kernel says what it did not like, in a file beside its own facts.
    auto root = os::dir_name(directory);
    auto why = os::try_read_file(os::path_join(root, "info/last_cmd_status"), 4096).value_or("");
    throw Error(error.kind(), cat("intelRdt: ", error.message(), ": ", trim(why)), error.errno_code());
  }
}

std::string text_in(const std::string& directory, std::string_view file) {
  return std::string(trim(os::try_read_file(os::path_join(directory, file), 4096).value_or("")));
}

// The numbers of a directory, those that are there; a mask stays the text that it is.
JsonObject numbers_in(const std::string& directory, std::initializer_list<const char*> files) {
  JsonObject out;
  for (const char* file : files) {
    std::string text = text_in(directory, file);
    if (auto number = parse_int<std::uint64_t>(text)) out[file] = *number;
  }
  return out;
}

std::string line_of(const std::string& directory, std::string_view resource) {
  for (auto& line : lines_of(os::try_read_file(os::path_join(directory, "schemata")).value_or(""))) {
    if (line.starts_with(resource)) return std::move(line);
  }
  return "";
}

void put_domains(JsonObject& out, const char* name, const std::string& directory,
                 std::initializer_list<const char*> files) {
  std::string data = os::path_join(directory, "mon_data");
  if (!os::exists(data)) return;
  JsonArray domains;
  for (const auto& domain : os::list_dir(data)) {
    if (!domain.starts_with("mon_L3_")) continue;
    if (auto numbers = numbers_in(os::path_join(data, domain), files); !numbers.empty()) {
      domains.push_back(std::move(numbers));
    }
  }
  if (!domains.empty()) out[name] = std::move(domains);
}

std::string class_directory(const std::string& root, const oci::IntelRdt& wanted, const std::string& id) {
  if (wanted.clos_id == "/") return root;  // the class that everything is in
  return os::path_join(root, wanted.clos_id.empty() ? id : wanted.clos_id);
}

}  // namespace

std::optional<std::string> find_resctrl(std::string_view mountinfo) {
  for (auto& mount : os::parse_mountinfo(mountinfo)) {
    if (mount.type == "resctrl") return std::move(mount.target);
  }
  return std::nullopt;
}

std::string render_schemata(const oci::IntelRdt& wanted) {
  std::string out;
  for (const auto& line : lines_of(wanted.l3_cache_schema)) {
    if (wanted.mem_bw_schema.empty() || !line.starts_with("MB:")) out += line + "\n";
  }
  if (!wanted.mem_bw_schema.empty()) out += wanted.mem_bw_schema + "\n";
  for (const auto& line : wanted.schemata) out += line + "\n";
  return out;
}

bool schemata_agree(std::string_view file, std::string_view wanted) {
  std::map<std::string, Domains> present;
  for (const auto& line : lines_of(file)) present.insert(parse_schema(line));
  std::map<std::string, Domains> asked;  // of two lines for one resource the last counts, as in the kernel
  for (const auto& line : lines_of(wanted)) {
    auto [resource, domains] = parse_schema(line);
    for (auto& [domain, value] : domains) asked[resource][domain] = std::move(value);
  }
  for (const auto& [resource, domains] : asked) {
    auto found = present.find(resource);
    if (found == present.end()) return false;
    for (const auto& [domain, value] : domains) {
      auto own = found->second.find(domain);
      if (own == found->second.end() || own->second != value) return false;
    }
  }
  return true;
}

void check_intel_rdt(const oci::IntelRdt& wanted) {
  const auto& name = wanted.clos_id;
  bool is_file_of_kernel = name == "info" || name == "mon_groups" || name == "mon_data";
  bool is_path = name != "/" && name.find('/') != std::string::npos;
  if (name == "." || name == ".." || is_path || is_file_of_kernel || name.find('\0') != std::string::npos) {
    refuse(cat("intelRdt.closID ", quoted(name), " cannot be"));
  }
  if (!wanted.mem_bw_schema.empty() &&
      (!wanted.mem_bw_schema.starts_with("MB:") || wanted.mem_bw_schema.find('\n') != std::string::npos)) {
    refuse("intelRdt.memBwSchema must be one line that starts with \"MB:\"");
  }
  for (const auto& line : wanted.schemata) {
    if (line.empty() || line.find('\n') != std::string::npos) refuse("an element of intelRdt.schemata is not one line");
  }
}

ResctrlGroup create_resctrl(std::string root, const oci::IntelRdt& wanted, const std::string& id) {
  if (root.empty()) {
    auto found = find_resctrl(os::read_file("/proc/self/mountinfo"));
    if (!found) {
      throw Error(ErrorKind::Unavailable,
                  "intelRdt is specified in config, but Intel RDT is not supported or enabled: resctrl is not mounted");
    }
    root = std::move(*found);
  }
  ResctrlGroup group{class_directory(root, wanted, id), "", wanted.clos_id.empty()};
  std::string schemata = render_schemata(wanted);
  if (!group.own && schemata.empty() && !os::exists(group.directory)) {
    throw Error(ErrorKind::NotFound, cat("intelRdt: the class ", quoted(wanted.clos_id),
                                         " is not there, and nothing says what to make it of"));
  }
  Rollback rollback;
  bool made = make_directory(group.directory);
  if (made) rollback.add([&] { ::rmdir(group.directory.c_str()); });
  if (!schemata.empty() && (made || group.own)) {
    write_schemata(group.directory, schemata);
  } else if (!schemata.empty()) {
    // Others may be in it: it is not changed under them.
    auto present = os::read_file(os::path_join(group.directory, "schemata"));
    if (!schemata_agree(present, schemata)) {
      throw Error(ErrorKind::Conflict, cat("intelRdt: the class ", quoted(wanted.clos_id),
                                           " has other schemata: ", join(lines_of(present), ", ")));
    }
  }
  if (wanted.enable_monitoring) {
    if (!os::exists(os::path_join(root, "info/L3_MON"))) {
      throw Error(ErrorKind::Unavailable, "intelRdt.enableMonitoring: this machine cannot monitor (no info/L3_MON)");
    }
    group.monitoring = os::path_join(group.directory, cat("mon_groups/", id));
    make_directory(group.monitoring);
  }
  rollback.commit();
  return group;
}

void join_resctrl(const ResctrlGroup& group, pid_t pid) {
  // The class first: it takes the process out of every monitoring group.
  for (const auto& directory : {group.directory, group.monitoring}) {
    if (!directory.empty()) os::write_file(os::path_join(directory, "tasks"), cat(pid));
  }
}

JsonObject resctrl_stats(const ResctrlGroup& group) {
  const std::string& own = group.directory;
  std::string root = os::exists(os::path_join(own, "info")) ? own : std::string(os::dir_name(own));
  JsonObject out;
  std::string l3 = os::path_join(root, "info/L3"), bandwidth = os::path_join(root, "info/MB");
  if (os::exists(l3)) {
    JsonObject info = numbers_in(l3, {"min_cbm_bits", "num_closids"});
    info["cbm_mask"] = text_in(l3, "cbm_mask");
    out["l3_cache_info"] = std::move(info);
    out["l3_cache_schema_root"] = line_of(root, "L3:");
    out["l3_cache_schema"] = line_of(own, "L3:");
  }
  if (os::exists(bandwidth)) {
    out["mem_bw_info"] = numbers_in(bandwidth, {"bandwidth_gran", "delay_linear", "min_bandwidth", "num_closids"});
    out["mem_bw_schema_root"] = line_of(root, "MB:");
    out["mem_bw_schema"] = line_of(own, "MB:");
  }
  const std::string& counted = group.monitoring.empty() ? own : group.monitoring;
  put_domains(out, "mbm_stats", counted, {"mbm_total_bytes", "mbm_local_bytes"});
  put_domains(out, "cmt_stats", counted, {"llc_occupancy"});
  return out;
}

void update_resctrl(const ResctrlGroup& group, const std::string& schemata) {
  write_schemata(group.directory, schemata);
}

void remove_resctrl(const ResctrlGroup& group) noexcept {
  if (!group.monitoring.empty()) ::rmdir(group.monitoring.c_str());
  if (group.own) ::rmdir(group.directory.c_str());
}

}  // namespace proa::runtime
