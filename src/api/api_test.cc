// Expectations are the examples and rules of Docker's API documentation (v1.56) and engine-api.md.
#include <gtest/gtest.h>

#include <set>

#include "api/containers.h"
#include "api/disk_usage.h"
#include "api/events.h"
#include "api/filters.h"
#include "api/images.h"
#include "api/inspect.h"
#include "api/networks.h"
#include "api/path_stat.h"
#include "api/progress.h"
#include "api/stdcopy.h"
#include "api/system.h"
#include "api/versions.h"
#include "base/text.h"

namespace proa::api {
namespace {

// The example body of POST /containers/create, shortened.
constexpr const char* kCreate = R"({
  "Hostname": "", "User": "", "AttachStdin": false, "AttachStdout": true, "Tty": false, "OpenStdin": false,
  "Env": ["FOO=bar", "BAZ=quux"], "Cmd": ["date"], "Entrypoint": "", "Image": "ubuntu",
  "Labels": {"com.example.vendor": "Acme"}, "Volumes": {"/volumes/data": {}}, "WorkingDir": "", "NetworkDisabled": false,
  "MacAddress": "12:34:56:78:9a:bc", "ExposedPorts": {"22/tcp": {}}, "StopSignal": "SIGTERM", "StopTimeout": 10,
  "HostConfig": {
    "Binds": ["/tmp:/tmp"], "Links": ["redis3:redis"], "Memory": 0, "MemorySwap": 0, "MemoryReservation": 0, "NanoCpus": 500000,
    "CpuPercent": 80, "CpuShares": 512, "CpuPeriod": 100000, "CpuQuota": 50000, "CpusetCpus": "0,1", "CpusetMems": "0,1",
    "BlkioWeight": 300, "BlkioWeightDevice": [{"Path": "/dev/sda", "Weight": 5}], "DeviceRequests": [{"Driver": "nvidia",
    "Count": -1, "DeviceIDs": ["0", "1"], "Capabilities": [["gpu", "nvidia", "compute"]], "Options": {"property1": "string"}}],
    "MemorySwappiness": 60, "OomKillDisable": false, "OomScoreAdj": 500, "PidMode": "", "PidsLimit": 0,
    "PortBindings": {"22/tcp": [{"HostPort": "11022"}]}, "PublishAllPorts": false, "Privileged": false, "ReadonlyRootfs": false,
    "Dns": ["8.8.8.8"], "DnsOptions": [""], "DnsSearch": [""], "VolumesFrom": ["parent", "other:ro"], "CapAdd": ["NET_ADMIN"],
    "CapDrop": ["MKNOD"], "GroupAdd": ["newgroup"], "RestartPolicy": {"Name": "", "MaximumRetryCount": 0}, "AutoRemove": true,
    "NetworkMode": "bridge", "Devices": [], "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}],
    "LogConfig": {"Type": "json-file", "Config": {}}, "SecurityOpt": [], "StorageOpt": {}, "CgroupParent": "", "ShmSize": 67108864,
    "Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 65536, "Mode": 1023}}], "MaskedPaths": []
  },
  "NetworkingConfig": {"EndpointsConfig": {"isolated_nw": {"IPAMConfig": {"IPv4Address": "172.20.30.33"},
    "Links": ["container_1"], "Aliases": ["server_x"]}, "plain": null}}
})";

TEST(ContainerCreate, ReadsTheDocumentedExample) {
  ContainerCreateRequest request = container_create_request_from_json(json::parse(kCreate));
  EXPECT_EQ(request.config.env, (Strings{"FOO=bar", "BAZ=quux"}));
  EXPECT_EQ(*request.config.cmd, Strings{"date"});
  EXPECT_EQ(*request.config.entrypoint, Strings{""}) << "a string stands for a list of one";
  EXPECT_TRUE(request.config.exposed_ports.contains("22/tcp"));
  EXPECT_EQ(*request.config.stop_timeout, 10);
  const HostConfig& host = request.host_config;
  EXPECT_EQ(host.nano_cpus, 500000);
  EXPECT_EQ(host.blkio_weight_device[0].weight, 5);
  EXPECT_EQ(host.device_requests[0].count, -1);
  EXPECT_EQ(host.device_requests[0].capabilities[0][2], "compute");
  EXPECT_EQ(*host.memory_swappiness, 60);
  EXPECT_EQ((*host.port_bindings.at("22/tcp"))[0].host_port, "11022");
  EXPECT_TRUE(host.auto_remove);
  EXPECT_EQ(host.ulimits[0].hard, 2048);
  EXPECT_EQ(host.mounts[0].tmpfs_options->size_bytes, 65536);
  EXPECT_TRUE(host.masked_paths.has_value() && host.masked_paths->empty()) << "[] is none masked";
  EXPECT_FALSE(host.readonly_paths.has_value()) << "missing is the default";
  EXPECT_EQ(request.networking.endpoints_config.at("isolated_nw")->ipam_config->ipv4_address, "172.20.30.33");
  EXPECT_FALSE(request.networking.endpoints_config.at("plain").has_value());
}

TEST(ContainerCreate, WhatIsWrittenIsReadBack) {
  ContainerCreateRequest request = container_create_request_from_json(json::parse(kCreate));
  Json once = to_json(request);
  EXPECT_EQ(json::text(to_json(container_create_request_from_json(once))), json::text(once));
}

TEST(ContainerCreate, NamesTheMemberOfTheWrongType) {
  try {
    container_create_request_from_json(json::parse(R"({"HostConfig":{"Memory":"lots"}})"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    EXPECT_NE(error.message().find("Memory"), std::string::npos);
  }
}

TEST(HostConfig, WritesNullWhereDockerDoes) {
  Json value = to_json(HostConfig{});
  for (const char* key : {"Binds", "CapAdd", "CapDrop", "Links", "MemorySwappiness", "PidsLimit", "MaskedPaths"}) {
    ASSERT_TRUE(json::find(value, key)) << key;
    EXPECT_TRUE(json::find(value, key)->is_null()) << key;
  }
  EXPECT_EQ(json::text(*json::find(value, "PortBindings")), "{}");
  EXPECT_EQ(json::text(*json::find(value, "ConsoleSize")), "[0,0]");
  EXPECT_FALSE(json::find(value, "Mounts"));
}

TEST(ContainerInspect, HasTheDocumentedStateKeys) {
  Json value = to_json(ContainerInspect{});
  const Json& state = *json::find(value, "State");
  for (const char* key : {"Status", "Running", "Paused", "Restarting", "OOMKilled", "Dead", "Pid", "ExitCode", "Error",
                          "StartedAt", "FinishedAt"}) {
    EXPECT_TRUE(json::find(state, key)) << key;
  }
  EXPECT_EQ(json::string_at(state, "StartedAt"), "0001-01-01T00:00:00Z");
  EXPECT_TRUE(json::find(value, "ExecIDs")->is_null());
  EXPECT_FALSE(json::find(value, "SizeRw"));
}

TEST(WaitResult, ErrorIsLeftOutWhenThereIsNone) {
  EXPECT_EQ(json::text(to_json(WaitResult{137, std::nullopt})), R"({"StatusCode":137})");
  EXPECT_EQ(json::text(to_json(WaitResult{1, WaitError{"x"}})), R"({"StatusCode":1,"Error":{"Message":"x"}})");
}

TEST(Filters, ReadsBothEncodings) {
  for (const char* text : {R"({"label":["a=b","c"],"status":["running"]})",
                           R"({"label":{"a=b":true,"c":true,"d":false},"status":{"running":true}})"}) {
    Filters filters = Filters::parse(text);
    EXPECT_EQ(filters.get("label"), (std::set<std::string>{"a=b", "c"})) << text;
    EXPECT_TRUE(filters.matches_exactly("status", "running"));
    EXPECT_FALSE(filters.matches_exactly("status", "exited"));
    EXPECT_TRUE(filters.matches_exactly("name", "anything"));
  }
}

TEST(Filters, RefusesUnknownKeysAndBadJson) {
  try {
    Filters::parse(R"({"colour":["red"]})").check({"label"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "invalid filter 'colour'");
  }
  for (const char* bad : {"{", "[]", "1", R"({"label":"a"})", R"({"label":[1]})", R"({"label":{"a":1}})"}) {
    EXPECT_THROW(Filters::parse(bad), Error) << bad;
  }
}

TEST(Filters, AllLabelsMustMatchAndNoneOfTheExcluded) {
  std::map<std::string, std::string> labels{{"a", "1"}, {"b", ""}};
  EXPECT_TRUE(Filters::parse(R"({"label":["a=1","b"]})").matches_labels(labels));
  EXPECT_FALSE(Filters::parse(R"({"label":["a=1","c"]})").matches_labels(labels));
  EXPECT_FALSE(Filters::parse(R"({"label!":["a"]})").matches_labels(labels));
  EXPECT_TRUE(Filters::parse(R"({"label!":["a=2"]})").matches_labels(labels));
}

TEST(Filters, NamesAreRegularExpressions) {
  Filters filters = Filters::parse(R"({"name":["^/web"]})");
  EXPECT_TRUE(filters.matches_pattern("name", "/web-1"));
  EXPECT_FALSE(filters.matches_pattern("name", "/my-web"));
}

TEST(Filters, BooleansAreStrict) {
  EXPECT_TRUE(Filters::parse(R"({"dangling":["true"]})").boolean("dangling", false));
  EXPECT_FALSE(Filters::parse(R"({"dangling":["0"]})").boolean("dangling", true));
  EXPECT_THROW(Filters::parse(R"({"dangling":["maybe"]})").boolean("dangling", true), Error);
}

TEST(Stdcopy, FramesAsDocumented) {
  EXPECT_EQ(frame(StreamType::Stderr, "hi"), std::string("\x02\0\0\0\0\0\0\x02hi", 10));
}

TEST(Stdcopy, ReadsFramesThatComeBytewise) {
  std::string stream =
      frame(StreamType::Stdout, "out") + frame(StreamType::Stderr, "") + frame(StreamType::Stderr, "err");
  FrameReader reader;
  std::string out, err;
  for (char c : stream) {
    reader.push({&c, 1});
    while (auto piece = reader.next()) (piece->type == StreamType::Stdout ? out : err) += piece->payload;
  }
  EXPECT_EQ(out, "out");
  EXPECT_EQ(err, "err");
  EXPECT_FALSE(reader.inside_frame());
  reader.push("garbage!");
  EXPECT_THROW(reader.next(), Error);
}

TEST(Versions, ComparesByNumber) {
  EXPECT_LT(*ApiVersion::parse("1.9"), *ApiVersion::parse("v1.10"));
  for (const char* bad : {"", "1", "1.", "v", "1.x", "1.2.3", "-1.2"}) EXPECT_FALSE(ApiVersion::parse(bad)) << bad;
}

TEST(Versions, RefusesWithDockersTexts) {
  auto text = [](ApiVersion version) -> std::string {
    try {
      check_supported(version);
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  };
  EXPECT_EQ(text({1, 24}), "");
  EXPECT_EQ(text({1, 56}), "");
  EXPECT_EQ(text({1, 23}),
            "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a "
            "newer version");
  EXPECT_EQ(text({1, 99}), "client version 1.99 is too new. Maximum supported API version is 1.56");
}

TEST(Versions, ImagesHavePlaceholdersBefore143AndVirtualSizeBefore144) {
  Json old = to_json(
      ImageSummary{.id = "sha256:1", .parent_id = "", .repo_tags = {}, .repo_digests = {}, .size = 7, .labels = {}});
  Json recent = old;
  shape_image_summary(old, {1, 42});
  EXPECT_EQ(json::text(*json::find(old, "RepoTags")), R"(["<none>:<none>"])");
  EXPECT_EQ(json::int_at(old, "VirtualSize"), 7);
  shape_image_summary(recent, {1, 44});
  EXPECT_EQ(json::text(*json::find(recent, "RepoTags")), "[]");
  EXPECT_FALSE(json::find(recent, "VirtualSize"));
}

TEST(Versions, OlderCreatesAreShareable) {
  Json body = json::parse(R"({"Image":"a","HostConfig":{"IpcMode":""}})");
  Json recent = body;
  adapt_container_create(body, {1, 39});
  EXPECT_EQ(json::string_at(*json::find(body, "HostConfig"), "IpcMode"), "shareable");
  adapt_container_create(recent, {1, 40});
  EXPECT_EQ(json::string_at(*json::find(recent, "HostConfig"), "IpcMode"), "");
}

TEST(Versions, AContainersAddressesAreOfItsNetworksOnlySince152) {
  ContainerInspect container;
  container.network_settings.ip_address = "172.17.0.2";
  container.network_settings.networks["bridge"].ip_address = "172.17.0.2";
  Json old = to_json(container), recent = old;
  shape_container_inspect(old, {1, 51});
  const Json& settings = *json::find(old, "NetworkSettings");
  EXPECT_EQ(json::string_at(settings, "IPAddress"), "172.17.0.2");
  EXPECT_TRUE(json::find(*json::find(old, "Config"), "OnBuild"));
  shape_container_inspect(recent, {1, 52});
  std::set<std::string> left;
  for (const auto& member : json::find(recent, "NetworkSettings")->get_object()) left.emplace(member.key());
  EXPECT_EQ(left, (std::set<std::string>{"Networks", "Ports", "SandboxID", "SandboxKey"}));
  const Json& networks = *json::find(*json::find(recent, "NetworkSettings"), "Networks");
  EXPECT_EQ(json::string_at(*json::find(networks, "bridge"), "IPAddress"), "172.17.0.2");
  EXPECT_FALSE(json::find(*json::find(recent, "Config"), "OnBuild"));
}

TEST(Versions, ListedContainersHaveHealthSince152) {
  ContainerSummary row;
  row.health = {"unhealthy", 4};
  Json old = to_json(row), recent = old;
  shape_container_summary(old, {1, 51});
  shape_container_summary(recent, {1, 52});
  EXPECT_FALSE(json::find(old, "Health"));
  EXPECT_EQ(json::text(*json::find(recent, "Health")), R"({"Status":"unhealthy","FailingStreak":4})");
}

TEST(Versions, ImagesLeaveOutWhatIsEmptySince152) {
  ImageInspect image;
  image.author = "somebody";
  image.config.cmd = Strings{"sh"};
  Json old = to_json(image), recent = old;
  shape_image_inspect(old, {1, 51});
  for (const char* key : {"Parent", "Comment", "DockerVersion", "Author"}) EXPECT_TRUE(json::find(old, key)) << key;
  EXPECT_TRUE(json::find(*json::find(old, "Config"), "User"));
  shape_image_inspect(recent, {1, 52});
  for (const char* key : {"Parent", "Comment", "DockerVersion"}) EXPECT_FALSE(json::find(recent, key)) << key;
  EXPECT_EQ(json::string_at(recent, "Author"), "somebody");
  EXPECT_EQ(json::text(*json::find(recent, "Config")), R"({"Cmd":["sh"]})");
}

TEST(Versions, EventsHaveOldNamesBefore152) {
  Json old = to_json(Event{.type = "container", .action = "start", .actor = {"c1", {{"image", "busybox"}}}});
  Json recent = old;
  shape_event(old, {1, 51});
  shape_event(recent, {1, 52});
  EXPECT_EQ(json::string_at(old, "status"), "start");
  EXPECT_EQ(json::string_at(old, "from"), "busybox");
  for (const char* key : {"status", "id", "from"}) EXPECT_FALSE(json::find(recent, key)) << key;
  EXPECT_EQ(json::string_at(recent, "Action"), "start");
}

TEST(Versions, ContainerWideMacAddressesAreRefusedSince152) {
  Json body = json::parse(R"({"Image":"a","MacAddress":"02:42:ac:11:00:09"})"), none = json::parse(R"({"Image":"a"})");
  EXPECT_NO_THROW(adapt_container_create(body, {1, 51}));
  EXPECT_NO_THROW(adapt_container_create(none, {1, 52}));
  EXPECT_THROW(adapt_container_create(body, {1, 52}), Error);
}

DiskUsage some_disk_usage() {
  DiskUsage usage;
  usage.layers_size = 100;
  ImageSummary used{.id = "sha256:1", .parent_id = "", .repo_tags = {}, .repo_digests = {}, .labels = {}};
  used.size = 70;
  used.shared_size = 30;
  used.containers = 2;
  ImageSummary unused = used;
  unused.containers = 0;
  usage.images = {used, unused};
  ContainerSummary running, exited;
  running.state = "running";
  running.size_rw = 5;
  exited.state = "exited";
  exited.size_rw = 7;
  usage.containers = {running, exited};
  VolumeResource mounted, idle;
  mounted.usage_data = VolumeUsage{11, 1};
  idle.usage_data = VolumeUsage{13, 0};
  usage.volumes = {mounted, idle};
  return usage;
}

std::string keys_of(const Json& value) {
  std::string out;
  for (const auto& member : value.get_object()) out += std::string(member.key()) + " ";
  return out;
}

TEST(DiskUsage, SumsEachKind) {
  DiskUsage usage = some_disk_usage();
  auto text = [](const KindUsage& kind) {
    return cat(kind.active, "/", kind.total, " ", kind.reclaimable, "/", kind.size);
  };
  EXPECT_EQ(text(images_usage(*usage.images, usage.layers_size)), "1/2 60/100");  // all but 70 - 30
  EXPECT_EQ(text(images_usage({}, 100)), "0/0 100/100");
  EXPECT_EQ(text(containers_usage(*usage.containers)), "1/2 7/12");
  EXPECT_EQ(text(volumes_usage(*usage.volumes)), "1/2 13/24");
}

TEST(DiskUsage, HasTheLayoutOfItsVersion) {
  DiskUsage usage = some_disk_usage();
  EXPECT_EQ(keys_of(disk_usage_reply(usage, true, {1, 51})), "LayersSize Images Containers Volumes BuildCache ");
  EXPECT_EQ(keys_of(disk_usage_reply(usage, {}, {1, 52})),
            "LayersSize ImageUsage Images ContainerUsage Containers VolumeUsage Volumes BuildCacheUsage BuildCache ");
  std::string sums = "ImageUsage ContainerUsage VolumeUsage BuildCacheUsage ";
  EXPECT_EQ(keys_of(disk_usage_reply(usage, false, {1, 52})), sums);
  EXPECT_EQ(keys_of(disk_usage_reply(usage, true, {1, 52})), sums);
  Json brief = disk_usage_reply(usage, {}, {1, 53}), verbose = disk_usage_reply(usage, true, {1, 53});
  EXPECT_EQ(keys_of(brief), sums);
  EXPECT_EQ(json::text(*json::find(brief, "VolumeUsage")),
            R"({"ActiveCount":1,"TotalCount":2,"Reclaimable":13,"TotalSize":24})");
  EXPECT_EQ(json::find(*json::find(verbose, "ContainerUsage"), "Items")->get_array().size(), 2u);
  EXPECT_EQ(json::text(*json::find(brief, "BuildCacheUsage")),
            R"({"ActiveCount":0,"TotalCount":0,"Reclaimable":0,"TotalSize":0})");
}

TEST(DiskUsage, IsOfWhatWasAskedFor) {
  DiskUsage usage = some_disk_usage();
  usage.images.reset();
  usage.containers.reset();
  usage.build_cache = false;
  EXPECT_EQ(keys_of(disk_usage_reply(usage, {}, {1, 51})), "Volumes ");
  EXPECT_EQ(keys_of(disk_usage_reply(usage, {}, {1, 53})), "VolumeUsage ");
}

TEST(PathStat, HasGosModeBits) {
  EXPECT_EQ(go_file_mode(S_IFDIR | 0755), 0x80000000u | 0755);
  EXPECT_EQ(go_file_mode(S_IFLNK | 0777), 0x08000000u | 0777);
  EXPECT_EQ(go_file_mode(S_IFCHR | 0600), 0x04200000u | 0600);
  for (mode_t mode :
       {S_IFREG | 04755, S_IFDIR | 01777, S_IFLNK | 0777, S_IFBLK | 0660, S_IFIFO | 0644, S_IFSOCK | 0600}) {
    EXPECT_EQ(mode_from_go(go_file_mode(mode)), mode);
  }
  PathStat stat{.name = "etc",
                .size = 4096,
                .mode = go_file_mode(S_IFDIR | 0755),
                .mtime = 1'600'000'000 * kSecond,
                .link_target = ""};
  EXPECT_EQ(decode_path_stat(encode_path_stat(stat)).mtime, stat.mtime);
}

TEST(Auth, InvalidHeadersAreIgnored) {
  EXPECT_EQ(decode_auth_header("").username, "");
  EXPECT_EQ(decode_auth_header("!!").username, "");
  AuthConfig auth{
      .username = "u", .password = "p?>", .auth = "", .server_address = "", .identity_token = "", .registry_token = ""};
  EXPECT_EQ(decode_auth_header(encode_auth_header(auth)).password, "p?>");
}

TEST(Progress, LinesEndInCrLfAndErrorsHaveBothForms) {
  ProgressMessage message;
  message.status = "Downloading";
  message.progress_detail = ProgressDetail{1, 2};
  message.id = "abc";
  EXPECT_EQ(progress_line(message),
            "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1,\"total\":2},\"id\":\"abc\"}\r\n");
  ProgressMessage failed;
  failed.error_detail = ProgressError{0, "no space"};
  EXPECT_EQ(progress_line(failed), "{\"errorDetail\":{\"message\":\"no space\"},\"error\":\"no space\"}\r\n");
}

TEST(Event, HasTheOldMembersForContainers) {
  Event event{.type = "container",
              .action = "start",
              .actor = {"c1", {{"image", "busybox"}, {"name", "web"}}},
              .time = 1,
              .time_nano = 1000000001};
  Json value = to_json(event);
  EXPECT_EQ(json::string_at(value, "status"), "start");
  EXPECT_EQ(json::string_at(value, "id"), "c1");
  EXPECT_EQ(json::string_at(value, "from"), "busybox");
  EXPECT_EQ(json::string_at(value, "scope"), "local");
  EXPECT_EQ(event_from_json(value).actor.attributes.at("name"), "web");
}

}  // namespace
}  // namespace proa::api
