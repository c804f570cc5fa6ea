#include "cli/session.h"

#include <stdlib.h>

#include "api/filters.h"
#include "base/id.h"
#include "base/text.h"

namespace proa::cli {

namespace {

constexpr std::string_view kNoConnection = "Cannot connect to the ";

std::string daemon_message(const client::Reply& reply) {
  std::string message;
  try {
    message = json::string_at(reply.json(), "message");
  } catch (const Error&) {
    message = trim(reply.text);
  }
  if (message.empty()) message = cat("status ", reply.status);
  return cat("Error response from daemon: ", message);
}

bool is_connection_error(const Error& error) {
  return error.kind() == ErrorKind::Unavailable && error.message().starts_with(kNoConnection);
}

std::string no_daemon(std::string_view host) {
  return cat("Cannot connect to the Proa daemon at ", host,
             ". Is the proa daemon running?\nStart it with 'sudo systemctl start proa' or 'sudo proad &'.");
}

}  // namespace

Session::Session(GlobalOptions options) : options_(std::move(options)), trace_id_(new_id().substr(0, 32)) {
  if (!options_.config.empty()) ::setenv("DOCKER_CONFIG", options_.config.c_str(), 1);
}

const std::string& Session::host() {
  if (host_.empty()) host_ = client::choose_host(options_.host, options_.context);
  return host_;
}

client::Api& Session::api() {
  if (!api_) {
    if (options_.tls || options_.tls_verify) {
      throw Error(ErrorKind::NotImplemented,
                  "TLS to the daemon is not available in this version: use a unix socket or ssh -L");
    }
    api_ = std::make_unique<client::Api>(host(), trace_id_);
  }
  return *api_;
}

// Daemon errors get docker's prefix; a missing daemon may be started, then the request is made once more.
template <class F>
auto Session::translated(F&& f) {
  api();  // what is wrong with the host's name is no answer of a daemon
  for (bool again = false;; again = true) {
    try {
      return f();
    } catch (const Error& error) {
      if (is_connection_error(error)) {
        if (!again && offer_to_start(host())) continue;
        throw Error(ErrorKind::Unavailable, no_daemon(host()), error.errno_code());
      }
      if (error.message().starts_with("Error response from daemon")) throw;
      throw Error(error.kind(), cat("Error response from daemon: ", error.message()), error.errno_code());
    }
  }
}

void Session::speak_own_version() {
  translated([&] { return api().version(); });
}

client::Reply Session::try_call(std::string_view method, std::string_view path, const Query& query, const Json& body) {
  return translated([&] { return api().try_call(method, path, to_query(query), body); });
}

client::Reply Session::call(std::string_view method, std::string_view path, const Query& query, const Json& body) {
  client::Reply reply = try_call(method, path, query, body);
  if (reply.status >= 400) throw Error(client::kind_of_status(reply.status), daemon_message(reply));
  return reply;
}

Json Session::get(std::string_view path, const Query& query) { return call("GET", path, query).json(); }
Json Session::post(std::string_view path, const Query& query, const Json& body) {
  return call("POST", path, query, body).json();
}
Json Session::erase(std::string_view path, const Query& query) { return call("DELETE", path, query).json(); }

std::optional<Json> Session::find(std::string_view path, const Query& query) {
  client::Reply reply = try_call("GET", path, query);
  if (reply.status == 404) return std::nullopt;
  if (reply.status >= 400) throw Error(client::kind_of_status(reply.status), daemon_message(reply));
  return reply.json();
}

std::unique_ptr<http::ClientResponse> Session::stream(const StreamRequest& request) {
  return translated([&] { return api().stream(request); });
}

void Session::documents(const StreamRequest& request, const std::function<bool(const Json&)>& on_document) {
  std::exception_ptr own;  // what on_document throws is not the daemon's
  auto guarded = [&](const Json& document) {
    try {
      return on_document(document);
    } catch (...) {
      own = std::current_exception();
      return false;
    }
  };
  translated([&] {
    api().documents(request, guarded);
    return true;
  });
  if (own) std::rethrow_exception(own);
}

http::Hijacked Session::hijack(std::string_view path, const Query& query, const Json& body) {
  return translated([&] { return api().hijack(path, to_query(query), body); });
}

http::Query to_query(const Query& query) {
  http::Query out;
  for (const auto& [name, value] : query) out.add(name, value);
  return out;
}

std::string container_path(std::string_view container, std::string_view verb) {
  if (trim(container).empty()) throw Error(ErrorKind::InvalidArgument, "invalid container name or ID: value is empty");
  return cat("/containers/", path_escape(container), verb.empty() ? "" : "/", verb);
}

void add_filters(Query& query, const std::vector<std::string>& filters) {
  api::Filters all;
  for (const std::string& one : filters) {
    auto [name, value] = cut(one, '=');
    if (value) all.add(to_lower(trim(name)), trim(*value));
  }
  if (!all.empty()) query.emplace_back("filters", all.text());
}

}  // namespace proa::cli
