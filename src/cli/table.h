// Lists as docker prints them: a template per row, columns aligned, a header of column names.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "cli/template.h"

namespace proa::cli {

// Go's text/tabwriter: cells end at '\t', the last of a line is not aligned.
struct TabWidths {
  std::size_t minimum = 10, padding = 3;
};
std::string align_tabs(std::string_view text, TabWidths widths = {});

struct Column {
  const char* field;   // the template's name: "RunningFor"
  const char* header;  // "CREATED"
};

// A list of one kind of thing and the ways --format can show it.
class Listing {
 public:
  // `format` is the user's or, if empty, `otherwise` ("table {{.ID}}\t{{.Names}}"); `type` is Go's name for errors.
  // Throws ExitWith(64) or Error for a template that cannot be parsed.
  Listing(std::span<const Column> columns, std::string_view format, std::string_view otherwise, std::string_view type);

  bool mentions(std::string_view field) const { return template_.mentions(field); }
  // A row is an object of the columns' fields; the member "\x01labels" serves {{.Label "x"}}.
  std::string render(const std::vector<JsonObject>& rows) const;

 private:
  std::span<const Column> columns_;
  bool table_ = false;
  std::string_view type_;
  Template template_;
};

// --format of one object (inspect, info, version): "json" or a template.
std::string render_object(std::string_view format, const Json& object);

}  // namespace proa::cli
