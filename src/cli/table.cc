#include "cli/table.h"

#include <algorithm>

#include "base/text.h"
#include "cli/command.h"

namespace proa::cli {

namespace {

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// text/tabwriter's format(): column blocks, each as wide as its widest cell.
class Aligner {
 public:
  Aligner(std::vector<std::vector<std::string>> lines, TabWidths rule) : lines_(std::move(lines)), rule_(rule) {}
  std::string run() {
    format(0, lines_.size());
    return std::move(out_);
  }

 private:
  void format(std::size_t first, std::size_t last) {
    std::size_t column = widths_.size();
    for (std::size_t at = first; at < last; ++at) {
      if (column + 1 >= lines_[at].size()) continue;
      write(first, at);
      first = at;
      std::size_t width = rule_.minimum;
      for (; at < last && column + 1 < lines_[at].size(); ++at) {
        width = std::max(width, columns_of(lines_[at][column]) + rule_.padding);
      }
      widths_.push_back(width);
      format(first, at);
      widths_.pop_back();
      first = at;
    }
    write(first, last);
  }

  void write(std::size_t first, std::size_t last) {
    for (std::size_t at = first; at < last; ++at) {
      for (std::size_t j = 0; j < lines_[at].size(); ++j) {
        out_ += lines_[at][j];
        if (j < widths_.size()) out_.append(widths_[j] - std::min(widths_[j], columns_of(lines_[at][j])), ' ');
      }
      if (at + 1 < lines_.size()) out_ += '\n';
    }
  }

  std::vector<std::vector<std::string>> lines_;
  TabWidths rule_;
  std::vector<std::size_t> widths_;
  std::string out_;
};

Template parse_format(std::string_view format, int status, std::string_view what) {
  try {
    return Template(format);
  } catch (const Error& error) {
    throw ExitWith{status, cat(what, error.message())};
  }
}

std::string body_of(std::string_view format) {
  if (format == "json") return "{{json .}}";
  std::string text = unescape_format(format.starts_with("table") ? trim(format.substr(5)) : format);
  return text;
}

}  // namespace

std::string align_tabs(std::string_view text, TabWidths widths) {
  std::vector<std::vector<std::string>> lines;
  for (const std::string& line : split(text, '\n')) lines.push_back(split(line, '\t'));
  return Aligner(std::move(lines), widths).run();
}

Listing::Listing(std::span<const Column> columns, std::string_view format, std::string_view otherwise,
                 std::string_view type)
    : columns_(columns),
      table_(format.empty() ? otherwise.starts_with("table") : format.starts_with("table")),
      type_(type),
      template_(parse_format(body_of(format.empty() || format == "table" ? otherwise : format), 1,
                             "failed to parse template: ")) {}

std::string Listing::render(const std::vector<JsonObject>& rows) const {
  std::string text;
  if (table_) {
    JsonObject header;
    for (const Column& column : columns_) header[column.field] = column.header;
    text += template_.execute(Json(std::move(header)), {.header = true, .type = type_}) + "\n";
  }
  for (const JsonObject& row : rows) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : row) keys.emplace_back(key);
    std::sort(keys.begin(), keys.end());
    JsonObject sorted;
    for (const std::string& key : keys) sorted[key] = row.at(key);
    sorted["\x01row"] = true;  // its JSON is Go's json.Marshal: < > & escaped
    try {
      text += template_.execute(Json(std::move(sorted)), {.type = type_}) + "\n";
    } catch (const Error& error) {
      throw Error(error.kind(), cat("failed to execute template: ", error.message()));
    }
  }
  return table_ ? align_tabs(text) : text;
}

std::string render_object(std::string_view format, const Json& object) {
  if (format == "json") return json::text(object) + "\n";
  return parse_format(unescape_format(format), 64, "template parsing error: ").execute(object) + "\n";
}

}  // namespace proa::cli
