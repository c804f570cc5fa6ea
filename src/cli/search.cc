// search
#include "base/text.h"
#include "cli/console.h"
#include "cli/credentials.h"
#include "cli/listing_text.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

constexpr Column kColumns[] = {
    {"Name", "NAME"}, {"Description", "DESCRIPTION"}, {"StarCount", "STARS"}, {"IsOfficial", "OFFICIAL"}};
constexpr std::size_t kShortDescription = 45;

// The registry of the term, as the daemon finds it.
std::string domain_of(const std::string& term) {
  auto [first, rest] = cut(term, '/');
  bool host = rest && (first.find_first_of(".:") != first.npos || first == "localhost");
  return host ? std::string(first) : "docker.io";
}

}  // namespace

int run_search(Call& call) {
  const Flags& flags = call.flags;
  const std::string& term = call.arguments()[0];
  Listing listing(kColumns, flags.text("format"), "table {{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
                  "*formatter.searchContext");
  StreamRequest request;
  request.path = "/images/search";
  request.query.add("term", term);
  if (flags.given("limit")) request.query.add("limit", flags.text("limit"));
  Query filters;
  add_filters(filters, flags.list("filter"));
  for (const auto& [name, value] : filters) request.query.add(name, value);
  if (std::string auth = registry_auth(domain_of(term)); !auth.empty()) request.headers.add("X-Registry-Auth", auth);
  Json reply = json::parse(call.session.stream(request)->read_all());
  std::vector<JsonObject> rows;
  for (const Json& one : array_of(&reply)) {
    std::string description = json::string_at(one, "description");
    for (char& c : description)
      if (c == '\n' || c == '\r' || c == '\t') c = ' ';
    rows.push_back({{"Name", json::string_at(one, "name")},
                    {"Description", flags.on("no-trunc") ? description : ellipsis(description, kShortDescription)},
                    {"StarCount", cat(json::int_at(one, "star_count"))},
                    {"IsOfficial", json::bool_at(one, "is_official") ? "[OK]" : ""}});
  }
  out(listing.render(rows));
  return 0;
}

}  // namespace proa::cli
