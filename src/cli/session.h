// The daemon that one command speaks to, connected to when it is first needed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "base/trace.h"
#include "client/api.h"

namespace proa::cli {

struct GlobalOptions {
  std::string host;     // -H; "" = DOCKER_HOST, the context, or the default socket
  std::string context;  // -c
  std::string config;   // --config
  bool debug = false;
  bool tls = false, tls_verify = false;
  std::string tls_ca, tls_cert, tls_key;
};

using Query = std::vector<std::pair<std::string, std::string>>;
using StreamRequest = client::Api::StreamRequest;

// All requests throw Error: "Error response from daemon: ..." where the daemon refused, "Cannot connect to the Proa
// daemon at ..." where there is none (as root on a terminal the user is asked whether to start it).
class Session {
 public:
  explicit Session(GlobalOptions options);

  const GlobalOptions& options() const { return options_; }
  const std::string& host();  // "unix:///run/proa.sock"
  trace::Recorder& recorder() { return recorder_; }
  const std::string& trace_id() const { return trace_id_; }
  std::int64_t begin() const { return begin_; }  // when the command began, monotonic

  // From now on in client::kVersion, not in the daemon's newest: where something was taken out since.
  void speak_own_version();
  // The reply's JSON (null if it has no body).
  Json get(std::string_view path, const Query& query = {});
  Json post(std::string_view path, const Query& query = {}, const Json& body = nullptr);
  Json erase(std::string_view path, const Query& query = {});
  client::Reply call(std::string_view method, std::string_view path, const Query& query = {},
                     const Json& body = nullptr);
  // Never throws for a status.
  client::Reply try_call(std::string_view method, std::string_view path, const Query& query = {},
                         const Json& body = nullptr);
  // nullopt where the daemon says 404.
  std::optional<Json> find(std::string_view path, const Query& query = {});

  std::unique_ptr<http::ClientResponse> stream(const StreamRequest& request);
  void documents(const StreamRequest& request, const std::function<bool(const Json&)>& on_document);
  http::Hijacked hijack(std::string_view path, const Query& query = {}, const Json& body = nullptr);

 private:
  client::Api& api();
  template <class F>
  auto translated(F&& f);

  GlobalOptions options_;
  std::int64_t begin_ = monotonic_now();
  trace::Recorder recorder_{"proa"};
  trace::Scope scope_{recorder_};
  std::string trace_id_, host_;
  std::unique_ptr<client::Api> api_;
};

http::Query to_query(const Query& query);
// One segment of a path: "a/b" -> "a%2Fb".
inline std::string path_escape(std::string_view text) { return http::percent_encode(text); }
// "/containers/ID/VERB"
std::string container_path(std::string_view container, std::string_view verb = "");
// The `filters` query of -f key=value flags; nothing where there are none.
void add_filters(Query& query, const std::vector<std::string>& filters);
// Starts proad if the user, root on a terminal, says so; true once it answers.
bool offer_to_start(std::string_view host);

}  // namespace proa::cli
