#include "registry/failure.h"

#include "base/json.h"
#include "base/text.h"

namespace proa::registry {

namespace {

// Words from a registry end up on a terminal: one line, no control characters, not too many.
std::string harmless(std::string_view text) {
  std::string out;
  for (char c : repair_utf8(text.substr(0, 400))) out += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? ' ' : c;
  return out;
}

ErrorKind kind_of_status(int status) {
  if (status == 401) return ErrorKind::Unauthorized;
  if (status == 403) return ErrorKind::Forbidden;
  if (status == 404) return ErrorKind::NotFound;
  if (status == 429 || status >= 500) return ErrorKind::Unavailable;
  return ErrorKind::Internal;
}

// "denied: requested access to the resource is denied"
std::string words(const RegistryError& error) {
  return cat(replace_all(to_lower(error.code), "_", " "), ": ", error.message);
}

}  // namespace

std::string method_word(const std::string& method) {
  return method.empty() ? "Get" : cat(method.substr(0, 1), to_lower(method.substr(1)));
}

std::string status_words(int status) {
  switch (status) {
    case 400:
      return "400 Bad Request";
    case 401:
      return "401 Unauthorized";
    case 403:
      return "403 Forbidden";
    case 404:
      return "404 Not Found";
    case 413:
      return "413 Request Entity Too Large";
    case 405:
      return "405 Method Not Allowed";
    case 407:
      return "407 Proxy Authentication Required";
    case 408:
      return "408 Request Timeout";
    case 416:
      return "416 Requested Range Not Satisfiable";
    case 429:
      return "429 Too Many Requests";
    case 500:
      return "500 Internal Server Error";
    case 502:
      return "502 Bad Gateway";
    case 503:
      return "503 Service Unavailable";
    case 504:
      return "504 Gateway Timeout";
    default:
      return std::to_string(status);
  }
}

RegistryError parse_error_body(const Response& response) {
  RegistryError out;
  try {
    Json body = json::parse(response.body);
    const Json* list = json::find(body, "errors");
    if (list && list->is_array() && !list->get_array().empty()) {
      out.code = json::string_at(list->get_array()[0], "code");
      out.message = json::string_at(list->get_array()[0], "message");
    } else {
      out.message = json::string_at(body, "details");
      if (out.message.empty()) out.message = json::string_at(body, "message");
    }
  } catch (const Error&) {
    // No JSON (a proxy's page, a HEAD without body): the status has to do.
  }
  std::string challenge = response.header("www-authenticate");
  if (response.status == 401 && challenge.find("insufficient_scope") != challenge.npos) {
    out = {"DENIED", "requested access to the resource is denied"};
  }
  if (out.code.empty()) {
    if (response.status == 401) out.code = "UNAUTHORIZED";
    if (response.status == 403) out.code = "DENIED";
    if (response.status == 429) out.code = "TOOMANYREQUESTS";
  }
  if (out.message.empty()) {
    if (out.code == "UNAUTHORIZED") out.message = "authentication required";
    if (out.code == "DENIED") out.message = "requested access to the resource is denied";
    if (out.code == "TOOMANYREQUESTS") out.message = "too many requests";
    if (out.code == "MANIFEST_UNKNOWN") out.message = "manifest unknown";
  }
  return {harmless(out.code), harmless(out.message)};
}

void throw_status(const Response& response, const FailedRequest& failed) {
  RegistryError error = parse_error_body(response);
  if (failed.what == "manifest" && response.status == 404 && error.code.empty())
    error = {"MANIFEST_UNKNOWN", "manifest unknown"};
  std::string said = words(error);
  if (failed.what == "token") {
    if (response.status == 401 || response.status == 403) {
      throw Error(ErrorKind::Unauthorized, error.code.empty() ? error.message : said);
    }
    throw Error(ErrorKind::Unavailable, cat("Get ", quoted(failed.url.without_query()),
                                            ": received unexpected HTTP status: ", status_words(response.status)));
  }
  if (failed.push && !error.code.empty()) throw Error(kind_of_status(response.status), said);
  if (error.code == "DENIED") {
    throw Error(ErrorKind::NotFound, cat("pull access denied for ", failed.reference.familiar_name(),
                                         ", repository does not exist or may require 'docker login': ", said));
  }
  if (error.code == "MANIFEST_UNKNOWN") {
    throw Error(ErrorKind::NotFound, cat("manifest for ", failed.reference.familiar(), " not found: ", said));
  }
  if (error.code == "NAME_UNKNOWN") {
    throw Error(ErrorKind::NotFound, cat("repository ", failed.reference.familiar_name(), " not found: ", said));
  }
  if (!error.code.empty()) throw Error(kind_of_status(response.status), said);
  if (failed.what == "blob" && response.status == 404)
    throw Error(ErrorKind::NotFound, "blob unknown: blob unknown to registry");
  std::string reason = error.message.empty() ? "" : cat(" (", error.message, ")");
  throw Error(kind_of_status(response.status),
              cat(method_word(failed.method), " ", quoted(failed.url.without_query()),
                  ": received unexpected HTTP status: ", status_words(response.status), reason));
}

void throw_transport(const TransportError& error, const FailedRequest& failed) {
  const Url& url = failed.url;
  std::string where = cat("Get ", quoted(cat(url.scheme, "://", url.authority(), "/v2/")), ": ");
  std::string address =
      cat(url.host.find(':') == std::string::npos ? url.host : cat("[", url.host, "]"), ":", url.port);
  switch (error.failure()) {
    case Failure::Resolve:
      throw Error(ErrorKind::Unavailable, cat(where, "dial tcp: lookup ", url.host, ": no such host"));
    case Failure::Refused:
      throw Error(
          ErrorKind::Unavailable,
          cat(where, "dial tcp ", address, ": connect: ",
              std::string_view(error.what()).find("unreachable") != std::string_view::npos ? "network is unreachable"
                                                                                           : "connection refused"));
    case Failure::Proxy:
      throw Error(ErrorKind::Unavailable, cat(where, error.what()));
    case Failure::Timeout:
      throw Error(ErrorKind::Deadline,
                  cat(where, "net/http: request canceled (Client.Timeout exceeded: ", error.what(), ")"));
    case Failure::NotTls:
      throw Error(ErrorKind::Unavailable, cat(where, "http: server gave HTTP response to HTTPS client"));
    case Failure::Certificate:
      throw Error(ErrorKind::Unavailable, cat(where, "tls: failed to verify certificate: ", error.what()));
    case Failure::Alert:
      throw Error(ErrorKind::Unavailable, cat(where, "remote error: tls: ", error.what()));
    case Failure::Cut:
      throw Error(ErrorKind::Unavailable, cat(method_word(failed.method), " ", quoted(url.without_query()),
                                              ": unexpected EOF (", error.what(), ")"));
    default:
      throw Error(ErrorKind::Unavailable,
                  cat(method_word(failed.method), " ", quoted(url.without_query()), ": ", error.what()));
  }
}

}  // namespace proa::registry
