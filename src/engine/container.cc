#include "engine/container.h"

#include <array>

#include "base/json_codec.h"

namespace proa::json {

template <>
struct Fields<volume::MountPoint> {
  using T = volume::MountPoint;
  static constexpr auto list = std::tuple{optional("source", &T::source),
                                          optional("name", &T::name),
                                          always("destination", &T::destination),
                                          optional("driver", &T::driver),
                                          always("rw", &T::read_write),
                                          optional("create_source", &T::create_source),
                                          optional("no_copy", &T::no_copy),
                                          optional("anonymous", &T::anonymous),
                                          optional("non_recursive", &T::non_recursive),
                                          optional("ro_non_recursive", &T::read_only_non_recursive),
                                          optional("ro_force_recursive", &T::read_only_force_recursive),
                                          optional("mode", &T::mode),
                                          optional("propagation", &T::propagation),
                                          optional("subpath", &T::subpath),
                                          optional("labels", &T::labels),
                                          optional("driver_options", &T::driver_options),
                                          optional("tmpfs_size", &T::tmpfs_size),
                                          optional("tmpfs_mode", &T::tmpfs_mode),
                                          optional("tmpfs_options", &T::tmpfs_options),
                                          optional("from_mounts", &T::from_mounts)};
};

template <>
struct Fields<engine::Link> {
  using T = engine::Link;
  static constexpr auto list =
      std::tuple{always("container", &T::container_id), always("alias", &T::alias), always("name", &T::name)};
};

template <>
struct Fields<engine::State> {
  using T = engine::State;
  static constexpr auto list = std::tuple{optional("pid", &T::pid),
                                          optional("start_ticks", &T::start_ticks),
                                          optional("exit_code", &T::exit_code),
                                          optional("error", &T::error),
                                          optional("oom_killed", &T::oom_killed),
                                          always("started_at", &T::started_at),
                                          always("finished_at", &T::finished_at),
                                          optional("restart_count", &T::restart_count),
                                          optional("stopped_by_user", &T::stopped_by_user),
                                          optional("paused_for_commit", &T::paused_for_commit),
                                          optional("starting", &T::starting),
                                          optional("health", &T::health)};
};

}  // namespace proa::json

namespace proa::engine {
namespace {

constexpr std::array<std::string_view, 7> kStatuses = {"created",  "running", "paused", "restarting",
                                                       "removing", "exited",  "dead"};
constexpr std::array<std::string_view, 3> kTypes = {"bind", "volume", "tmpfs"};

template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return i;
  }
  throw Error(ErrorKind::DataLoss, cat("container record: unknown word \"", name, "\""));
}

Json strings(const std::vector<std::string>& list) { return json::encode(list); }
std::vector<std::string> strings_at(const Json& value, std::string_view key) {
  const Json* found = json::find(value, key);
  return found ? json::decode<std::vector<std::string>>(*found) : std::vector<std::string>{};
}

}  // namespace

std::string_view to_string(Status status) { return kStatuses[static_cast<std::size_t>(status)]; }

Json to_json(const Definition& definition) {
  JsonArray mounts;
  for (const auto& point : definition.mounts) {
    Json one = json::encode(point);
    one.as_object()["type"] = volume::to_string(point.type);
    mounts.push_back(std::move(one));
  }
  JsonArray networks;
  for (const auto& [name, endpoint] : definition.networks)
    networks.push_back(JsonArray{Json(name), api::to_json(endpoint)});
  return JsonObject{{"id", definition.id},
                    {"name", definition.name},
                    {"created", definition.created},
                    {"image_id", definition.image_id},
                    {"image_manifest", definition.image_manifest},
                    {"diff_ids", strings(definition.diff_ids)},
                    {"config", api::to_json(definition.config)},
                    {"host_config", api::to_json(definition.host_config)},
                    {"mounts", std::move(mounts)},
                    {"networks", std::move(networks)},
                    {"links", json::encode(definition.links)},
                    {"path", definition.path},
                    {"args", strings(definition.args)},
                    {"trace_id", definition.trace_id}};
}

Definition definition_from_json(const Json& value) {
  Definition out;
  out.id = json::string_at(value, "id");
  out.name = json::string_at(value, "name");
  out.created = json::int_at(value, "created");
  out.image_id = json::string_at(value, "image_id");
  out.image_manifest = json::string_at(value, "image_manifest");
  out.diff_ids = strings_at(value, "diff_ids");
  if (const Json* config = json::find(value, "config")) out.config = api::container_config_from_json(*config);
  if (const Json* host = json::find(value, "host_config")) out.host_config = api::host_config_from_json(*host);
  if (const Json* mounts = json::find(value, "mounts"); mounts && mounts->is_array()) {
    for (const Json& one : mounts->get_array()) {
      auto point = json::decode<volume::MountPoint>(one);
      point.type = static_cast<volume::Type>(index_of(kTypes, json::string_at(one, "type")));
      out.mounts.push_back(std::move(point));
    }
  }
  if (const Json* networks = json::find(value, "networks"); networks && networks->is_array()) {
    for (const Json& one : networks->get_array()) {
      if (!one.is_array() || one.get_array().size() != 2) continue;
      out.networks.emplace_back(json::decode<std::string>(one.get_array()[0]),
                                api::endpoint_settings_from_json(one.get_array()[1]));
    }
  }
  if (const Json* links = json::find(value, "links")) out.links = json::decode<std::vector<Link>>(*links);
  out.path = json::string_at(value, "path");
  out.args = strings_at(value, "args");
  out.trace_id = json::string_at(value, "trace_id");
  if (out.id.empty()) throw Error(ErrorKind::DataLoss, "container record without an id");
  return out;
}

std::vector<oci::Digest> layers_of(const Definition& definition) {
  std::vector<oci::Digest> out;
  for (const auto& diff_id : definition.diff_ids) out.push_back(oci::Digest::parse(diff_id));
  return out;
}

Json to_json(const State& state) {
  Json out = json::encode(state);
  out.as_object()["status"] = to_string(state.status);
  return out;
}

State state_from_json(const Json& value) {
  auto out = json::decode<State>(value);
  out.status = static_cast<Status>(index_of(kStatuses, json::string_at(value, "status")));
  return out;
}

Container::Container(Definition definition, State state) : id_(definition.id) {
  auto first = std::make_shared<Snapshot>();
  first->definition = std::make_shared<const Definition>(std::move(definition));
  first->state = std::move(state);
  snapshot_ = std::move(first);
}

std::shared_ptr<const Snapshot> Container::snapshot() const {
  std::lock_guard guard(mutex_);
  return snapshot_;
}

void Container::change(const std::function<void(Definition&)>& definition, const std::function<void(State&)>& state,
                       const std::function<void(const Snapshot&)>& persist) {
  {
    std::lock_guard guard(mutex_);
    auto next = std::make_shared<Snapshot>(*snapshot_);
    if (definition) {
      auto changed = std::make_shared<Definition>(*next->definition);
      definition(*changed);
      next->definition = std::move(changed);
    }
    if (state) state(next->state);
    if (persist) persist(*next);
    snapshot_ = std::move(next);
  }
  changed_.notify_all();
}

Container::Epoch Container::epoch() const {
  std::lock_guard guard(mutex_);
  return epoch_;
}

void Container::count_exit(int exit_code, std::string error) {
  {
    std::lock_guard guard(mutex_);
    ++epoch_.exits;
    epoch_.last_exit = exit_code;
    epoch_.last_error = std::move(error);
  }
  changed_.notify_all();
}

void Container::mark_releasing(bool releasing) {
  {
    std::lock_guard guard(mutex_);
    epoch_.releasing = releasing;
  }
  changed_.notify_all();
}

void Container::mark_removed() {
  {
    std::lock_guard guard(mutex_);
    epoch_.removed = true;
  }
  changed_.notify_all();
}

void Container::mark_removal_failed(std::string error) {
  {
    std::lock_guard guard(mutex_);
    epoch_.removal_error = std::move(error);
  }
  changed_.notify_all();
}

bool Container::wait(const std::function<bool(const Epoch&, const Snapshot&)>& ready, std::stop_token stop) const {
  std::unique_lock lock(mutex_);
  return changed_.wait(lock, stop, [&] { return ready(epoch_, *snapshot_); });
}

bool Container::wait_for(const std::function<bool(const Epoch&, const Snapshot&)>& ready,
                         std::int64_t nanoseconds) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::nanoseconds(nanoseconds), [&] { return ready(epoch_, *snapshot_); });
}

State Container::settled_state() const {
  constexpr std::int64_t kLongestStart = 10 * kSecond;
  wait_for([](const Epoch&, const Snapshot& snapshot) { return !snapshot.state.starting; }, kLongestStart);
  return state();
}

}  // namespace proa::engine
