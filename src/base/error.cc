#include "base/error.h"

#include <array>

#include "base/json.h"

namespace proa {
namespace {

constexpr std::array<std::pair<ErrorKind, std::string_view>, 12> kNames{{
    {ErrorKind::InvalidArgument, "InvalidArgument"},
    {ErrorKind::NotFound, "NotFound"},
    {ErrorKind::Conflict, "Conflict"},
    {ErrorKind::NotModified, "NotModified"},
    {ErrorKind::Unauthorized, "Unauthorized"},
    {ErrorKind::Forbidden, "Forbidden"},
    {ErrorKind::Unavailable, "Unavailable"},
    {ErrorKind::NotImplemented, "NotImplemented"},
    {ErrorKind::Cancelled, "Cancelled"},
    {ErrorKind::Deadline, "Deadline"},
    {ErrorKind::DataLoss, "DataLoss"},
    {ErrorKind::Internal, "Internal"},
}};

}  // namespace

std::string_view to_string(ErrorKind kind) {
  for (const auto& [value, name] : kNames) {
    if (value == kind) return name;
  }
  return "Internal";
}

ErrorKind error_kind_from(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  return ErrorKind::Internal;
}

std::string error_to_line(const Error& error) {
  Json line =
      JsonObject{{"kind", to_string(error.kind())}, {"errno", error.errno_code()}, {"message", error.message()}};
  return json::text(line) + "\n";
}

Error error_from_line(std::string_view line) {
  Json parsed;
  try {
    parsed = json::parse(line);
  } catch (const Error&) {
    return Error(ErrorKind::Internal, std::string(line));
  }
  return Error(error_kind_from(json::string_at(parsed, "kind")), json::string_at(parsed, "message"),
               static_cast<int>(json::int_at(parsed, "errno")));
}

Error to_error(std::exception_ptr caught) {
  try {
    std::rethrow_exception(caught);
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& error) {
    return Error(ErrorKind::Internal, error.what());
  } catch (...) {
    return Error(ErrorKind::Internal, "unknown failure");
  }
}

}  // namespace proa
