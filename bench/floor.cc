// The floor: what one container costs when one small program asks the kernel for exactly that and nothing else.
//   floor DIRECTORY ROUNDS  ->  {"first": ms, "reaped": ms, "removed": ms}   (medians)
// Namespaces (mnt, uts, ipc, pid, net), eight v1 cgroups with limits and device rules (or one v2), an overlay of one
// lower directory, /proc, /dev, /sys, masks, veth and bridge, capabilities, then exec of a static program.
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "measure.h"

namespace {

constexpr const char* kBridge = "proafloor0";
const char* const kControllers[] = {"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"};

void put(const std::string& path, const std::string& text) {
  int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  if (write(fd, text.data(), text.size()) < 0 && path.find("tasks") != std::string::npos) die(path.c_str());
  close(fd);
}

// A netlink request, built attribute by attribute.
struct Request {
  std::string data;
  Request(int type, int flags, const void* header, size_t size) {
    nlmsghdr head{};
    head.nlmsg_type = static_cast<unsigned short>(type);
    head.nlmsg_flags = static_cast<unsigned short>(NLM_F_REQUEST | NLM_F_ACK | flags);
    data.append(reinterpret_cast<char*>(&head), sizeof head).append(static_cast<const char*>(header), size);
  }
  void add(int type, const void* value, size_t size) {
    rtattr attribute{static_cast<unsigned short>(RTA_LENGTH(size)), static_cast<unsigned short>(type)};
    data.append(reinterpret_cast<char*>(&attribute), sizeof attribute).append(static_cast<const char*>(value), size);
    data.resize((data.size() + 3) & ~3UL);
  }
  size_t open_nest(int type) {
    size_t at = data.size();
    add(type, "", 0);
    return at;
  }
  void close_nest(size_t at) {
    reinterpret_cast<rtattr*>(&data[at])->rta_len = static_cast<unsigned short>(data.size() - at);
  }
  const std::string& done() {
    reinterpret_cast<nlmsghdr*>(data.data())->nlmsg_len = static_cast<unsigned>(data.size());
    return data;
  }
};

void talk(int netlink, const std::string& messages, int acks, bool may_exist = false) {
  check(send(netlink, messages.data(), messages.size(), 0), "netlink send");
  char buffer[8192];
  while (acks > 0) {
    ssize_t got = check(recv(netlink, buffer, sizeof buffer, 0), "netlink recv");
    for (auto* head = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(head, got); head = NLMSG_NEXT(head, got)) {
      if (head->nlmsg_type != NLMSG_ERROR) continue;
      int error = static_cast<nlmsgerr*>(NLMSG_DATA(head))->error;
      if (error && !may_exist) {
        errno = -error;
        die("netlink");
      }
      --acks;
    }
  }
}
int netlink_socket() {
  return static_cast<int>(check(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "netlink"));
}

void make_bridge(int netlink) {
  ifinfomsg link{};
  link.ifi_flags = link.ifi_change = IFF_UP;
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
  request.add(IFLA_IFNAME, kBridge, strlen(kBridge) + 1);
  auto info = request.open_nest(IFLA_LINKINFO);
  request.add(IFLA_INFO_KIND, "bridge", 7);
  request.close_nest(info);
  talk(netlink, request.done(), 1, true);
}

void make_veth(int netlink, int netns, int round) {
  char name[IFNAMSIZ];
  snprintf(name, sizeof name, "pfloor%d", round);
  unsigned master = if_nametoindex(kBridge);
  ifinfomsg link{};
  link.ifi_flags = link.ifi_change = IFF_UP;
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
  request.add(IFLA_IFNAME, name, strlen(name) + 1);
  request.add(IFLA_MASTER, &master, sizeof master);
  auto info = request.open_nest(IFLA_LINKINFO);
  request.add(IFLA_INFO_KIND, "veth", 5);
  auto kind = request.open_nest(IFLA_INFO_DATA);
  auto peer = request.open_nest(VETH_INFO_PEER);
  ifinfomsg peer_link{};
  request.data.append(reinterpret_cast<char*>(&peer_link), sizeof peer_link);
  request.add(IFLA_IFNAME, "eth0", 5);
  request.add(IFLA_NET_NS_FD, &netns, sizeof netns);
  request.close_nest(peer);
  request.close_nest(kind);
  request.close_nest(info);
  talk(netlink, request.done(), 1);
}

void configure_network() {
  int netlink = netlink_socket();
  unsigned lo = if_nametoindex("lo"), eth = if_nametoindex("eth0");
  auto up = [](unsigned index) {
    ifinfomsg link{};
    link.ifi_index = static_cast<int>(index);
    link.ifi_flags = link.ifi_change = IFF_UP;
    return Request(RTM_NEWLINK, 0, &link, sizeof link).done();
  };
  unsigned char own[4] = {10, 218, 0, 2}, gateway[4] = {10, 218, 0, 1};
  ifaddrmsg address{};
  address.ifa_family = AF_INET;
  address.ifa_prefixlen = 16;
  address.ifa_index = eth;
  Request add_address(RTM_NEWADDR, NLM_F_CREATE, &address, sizeof address);
  add_address.add(IFA_LOCAL, own, 4);
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_BOOT;
  route.rtm_type = RTN_UNICAST;
  Request add_route(RTM_NEWROUTE, NLM_F_CREATE, &route, sizeof route);
  add_route.add(RTA_GATEWAY, gateway, 4);
  talk(netlink, up(lo) + add_address.done() + up(eth) + add_route.done(), 4);
  close(netlink);
}

struct Paths {
  std::string top, lower, merged, upper, work;
  bool v1 = access("/sys/fs/cgroup/memory/tasks", F_OK) == 0;
};

std::string cgroup_of(const char* controller) { return std::string("/sys/fs/cgroup/") + controller + "/proa-floor"; }

void make_cgroups(const Paths& paths) {
  if (!paths.v1) return;
  for (auto* controller : kControllers) mkdir(cgroup_of(controller).c_str(), 0755);
  char text[128] = {};
  for (auto* file : {"cpuset.cpus", "cpuset.mems"}) {
    FILE* parent = fopen((std::string("/sys/fs/cgroup/cpuset/") + file).c_str(), "re");
    if (parent && fgets(text, sizeof text, parent)) put(cgroup_of("cpuset") + "/" + file, text);
    if (parent) fclose(parent);
  }
  put(cgroup_of("memory") + "/memory.limit_in_bytes", "67108864");
  put(cgroup_of("pids") + "/pids.max", "100");
  put(cgroup_of("cpu") + "/cpu.cfs_quota_us", "50000");
  put(cgroup_of("devices") + "/devices.deny", "a");
  for (auto* rule : {"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm",
                     "c 5:2 rwm", "c 136:* rwm"}) {
    put(cgroup_of("devices") + "/devices.allow", rule);
  }
}

void make_devices(const std::string& dev) {
  const struct {
    const char* name;
    int minor, major;
  } nodes[] = {{"null", 3, 1}, {"zero", 5, 1}, {"full", 7, 1}, {"random", 8, 1}, {"urandom", 9, 1}, {"tty", 0, 5}};
  for (const auto& node : nodes)
    check(mknod((dev + "/" + node.name).c_str(), S_IFCHR | 0666, makedev(node.major, node.minor)), "mknod");
  for (auto* name : {"fd", "stdin", "stdout", "stderr", "ptmx"})
    check(symlink("/proc/self/fd", (dev + "/" + name).c_str()), "symlink");
  for (auto* name : {"pts", "shm", "mqueue"}) mkdir((dev + "/" + name).c_str(), 0755);
}

[[noreturn]] void child(const Paths& paths, int ready, int network) {
  char byte;
  for (auto* controller : kControllers) {
    if (paths.v1) put(cgroup_of(controller) + "/tasks", "0");
  }
  check(mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private");
  std::string options = "lowerdir=" + paths.lower + ",upperdir=" + paths.upper + ",workdir=" + paths.work + ",volatile";
  const std::string& root = paths.merged;
  check(mount("overlay", root.c_str(), "overlay", 0, options.c_str()), "overlay");
  check(write(ready, "m", 1), "write");
  check(mount("proc", (root + "/proc").c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr), "proc");
  check(mount("tmpfs", (root + "/dev").c_str(), "tmpfs", MS_NOSUID, "mode=755,size=65536k"), "dev");
  make_devices(root + "/dev");
  check(mount("devpts", (root + "/dev/pts").c_str(), "devpts", MS_NOSUID | MS_NOEXEC,
              "newinstance,ptmxmode=0666,mode=0620"),
        "devpts");
  check(mount("shm", (root + "/dev/shm").c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k"),
        "shm");
  check(mount("mqueue", (root + "/dev/mqueue").c_str(), "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr), "mqueue");
  check(read(network, &byte, 1), "read");
  configure_network();
  check(mount("sysfs", (root + "/sys").c_str(), "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr),
        "sysfs");
  if (paths.v1) {
    std::string cgroup = root + "/sys/fs/cgroup";
    check(mount("tmpfs", cgroup.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755"), "cgroup tmpfs");
    for (auto* controller : kControllers) {
      mkdir((cgroup + "/" + controller).c_str(), 0755);
      check(mount(cgroup_of(controller).c_str(), (cgroup + "/" + controller).c_str(), nullptr, MS_BIND, nullptr),
            "bind cgroup");
    }
  }
  for (auto* path : {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}) {
    if (mount((root + path).c_str(), (root + path).c_str(), nullptr, MS_BIND | MS_REC, nullptr) < 0) continue;
    mount("", (root + path).c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
          nullptr);
  }
  for (auto* path : {"/proc/kcore", "/proc/keys", "/proc/timer_list"})
    mount("/dev/null", (root + path).c_str(), nullptr, MS_BIND, nullptr);
  for (auto* path : {"/proc/acpi", "/proc/scsi", "/sys/firmware"})
    mount("tmpfs", (root + path).c_str(), "tmpfs", MS_RDONLY, "size=0");
  check(chdir(root.c_str()), "chdir");
  check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  check(umount2(".", MNT_DETACH), "umount");
  check(sethostname("floor", 5), "hostname");
  for (int capability = 20; capability < 38; ++capability) prctl(PR_CAPBSET_DROP, capability);
  char program[] = "/floor", argument[] = "first";
  char* arguments[] = {program, argument, nullptr};
  execve(program, arguments, nullptr);
  die("execve");
}

struct Times {
  double first, reaped, removed;
};

Times one_round(const Paths& paths, int netlink, int round) {
  int ready[2], network[2], out[2];
  check(pipe2(ready, O_CLOEXEC), "pipe");
  check(pipe2(network, O_CLOEXEC), "pipe");
  check(pipe(out), "pipe");
  double begin = now_ms();
  mkdir(paths.upper.c_str(), 0755);
  mkdir(paths.work.c_str(), 0755);
  make_cgroups(paths);
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<__u64>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  long pid = check(syscall(SYS_clone3, &arguments, sizeof arguments), "clone3");
  if (pid == 0) {
    dup2(out[1], 1);
    child(paths, ready[1], network[0]);
  }
  int netns = static_cast<int>(
      check(open(("/proc/" + std::to_string(pid) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC), "netns"));
  make_veth(netlink, netns, round);
  check(write(network[1], "n", 1), "write");
  double first = 0;
  close(out[1]);
  if (read(out[0], &first, sizeof first) != sizeof first) die("the child failed");
  int status;
  check(waitpid(static_cast<int>(pid), &status, 0), "wait");
  double reaped = now_ms();
  for (int fd : {netns, pidfd, ready[0], ready[1], network[0], network[1], out[0]}) close(fd);
  for (auto* controller : kControllers) {
    if (paths.v1) rmdir(cgroup_of(controller).c_str());
  }
  rmdir((paths.work + "/work/incompat/volatile").c_str());
  for (auto* below : {"/work/incompat", "/work", ""}) rmdir((paths.work + below).c_str());
  for (auto* below : {"/dev/mqueue", "/dev", ""}) rmdir((paths.upper + below).c_str());
  if (access(paths.work.c_str(), F_OK) == 0) {
    if (system(("rm -rf " + paths.upper + " " + paths.work).c_str()) != 0) die("rm");
  }
  return {first - begin, reaped - begin, now_ms() - begin};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && !strcmp(argv[1], "first")) {
    double now = now_ms();
    return write(1, &now, sizeof now) == sizeof now ? 0 : 1;
  }
  if (argc != 3) return 2;
  Paths paths;
  paths.top = std::string(argv[1]) + "/floor-work";
  paths.lower = paths.top + "/lower", paths.merged = paths.top + "/merged", paths.upper = paths.top + "/upper",
  paths.work = paths.top + "/work";
  for (const auto& path : {paths.top, paths.lower, paths.merged}) mkdir(path.c_str(), 0755);
  for (auto* name : {"/proc", "/sys", "/dev"}) mkdir((paths.lower + name).c_str(), 0755);
  if (system(("cp /proc/" + std::to_string(getpid()) + "/exe " + paths.lower + "/floor").c_str()) != 0) die("cp");
  int netlink = netlink_socket();
  make_bridge(netlink);
  std::vector<double> first, reaped, removed;
  for (int round = 0; round < atoi(argv[2]) + 2; ++round) {
    Times times = one_round(paths, netlink, round);
    if (round < 2) continue;
    first.push_back(times.first), reaped.push_back(times.reaped), removed.push_back(times.removed);
  }
  printf("{\"first\": %.3f, \"reaped\": %.3f, \"removed\": %.3f}\n", median(first), median(reaped), median(removed));
  return system((std::string("ip link delete ") + kBridge).c_str());
}
