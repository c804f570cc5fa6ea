#include "oci/config_changes.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace proa::oci {

namespace {

[[noreturn]] void bad(std::string message) { throw Error(ErrorKind::InvalidArgument, std::move(message)); }

// ["a", "b"] or, where it is no JSON list of strings, nothing.
std::optional<std::vector<std::string>> exec_form(std::string_view text) {
  if (!trim(text).starts_with('[')) return std::nullopt;
  try {
    Json list = json::parse(text);
    std::vector<std::string> out;
    for (const Json& word : list.as_array()) out.emplace_back(std::string_view(word.as_string()));
    return out;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

// $NAME and ${NAME} by the configuration's environment; \$ is a dollar.
std::string expand(std::string_view text, const ImageDefaults& config) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '$') {
      out += text[++i];
      continue;
    }
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    bool braces = text[i + 1] == '{';
    std::size_t begin = i + (braces ? 2 : 1), end = begin;
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_')) ++end;
    if (end == begin || (braces && (end == text.size() || text[end] != '}'))) {
      out += text[i];
      continue;
    }
    std::string name = cat(text.substr(begin, end - begin), "=");
    for (const std::string& entry : config.env)
      if (entry.starts_with(name)) out += entry.substr(name.size());
    i = braces ? end : end - 1;
  }
  return out;
}

// Words at blanks; quotes hold them together, a backslash takes the next character as it is.
std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  bool any = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      word += text[++i], any = true;
    } else if (quote) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '"' || c == '\'') {
      quote = c, any = true;
    } else if (c == ' ' || c == '\t') {
      if (any) out.push_back(std::exchange(word, "")), any = false;
    } else {
      word += c, any = true;
    }
  }
  if (any) out.push_back(word);
  return out;
}

// "a=b c=d" or, the old way, "a b c".
std::vector<std::pair<std::string, std::string>> pairs(std::string_view instruction, std::string_view text) {
  auto list = words(text);
  if (list.empty()) bad(cat(instruction, " requires at least one argument"));
  if (list[0].find('=') == std::string::npos) {
    auto [name, value] = cut(trim(text), ' ');
    if (!value) bad(cat(instruction, " must have two arguments"));
    return {{std::string(name), std::string(trim(*value))}};
  }
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& word : list) {
    auto [name, value] = cut(word, '=');
    if (!value) bad(cat("Syntax error - can't find = in ", quoted(word), ". Must be of the form: name=value"));
    if (name.empty()) bad(cat(instruction, " names can not be blank"));
    out.emplace_back(name, *value);
  }
  return out;
}

std::vector<std::string> command(std::string_view text) {
  if (auto exec = exec_form(text)) return *exec;
  return {"/bin/sh", "-c", std::string(text)};
}

void expose(ImageDefaults& config, std::string_view text) {
  for (const std::string& word : words(expand(text, config))) {
    auto [port, protocol] = cut(word, '/');
    std::string kind = to_lower(protocol.value_or("tcp"));
    auto [first, last] = cut(port, '-');
    auto from = parse_int<std::uint16_t>(first), to = parse_int<std::uint16_t>(last.value_or(first));
    if (!from || !to || *from > *to || (kind != "tcp" && kind != "udp" && kind != "sctp"))
      bad(cat("Invalid containerPort: ", word));
    for (int one = *from; one <= *to; ++one) config.exposed_ports[cat(one, "/", kind)];
  }
}

void work_dir(ImageDefaults& config, std::string_view text) {
  std::string path = expand(text, config);
  if (!path.starts_with('/')) path = cat(config.working_dir.empty() ? "" : config.working_dir, "/", path);
  config.working_dir = path;
}

void set_env(ImageDefaults& config, std::string_view text) {
  for (const auto& [name, raw] : pairs("ENV", text)) {
    std::string entry = cat(name, "=", expand(raw, config));
    auto same = [&, key = cat(name, "=")](const std::string& one) { return one.starts_with(key); };
    auto place = std::find_if(config.env.begin(), config.env.end(), same);
    if (place == config.env.end()) {
      config.env.push_back(entry);
    } else {
      *place = entry;
    }
  }
}

void apply(ImageDefaults& config, const std::string& line) {
  std::string_view text = trim(line);
  std::size_t blank = text.find_first_of(" \t");
  std::string name = to_upper(text.substr(0, blank));
  std::string_view rest = blank == text.npos ? "" : trim(text.substr(blank));
  if (rest.empty()) bad(cat("file with no instructions: ", name, " requires an argument"));
  if (name == "CMD") {
    config.cmd = command(rest);
  } else if (name == "ENTRYPOINT") {
    config.entrypoint = command(rest);
  } else if (name == "ENV") {
    set_env(config, rest);
  } else if (name == "LABEL") {
    for (const auto& [key, value] : pairs("LABEL", rest)) config.labels[key] = expand(value, config);
  } else if (name == "EXPOSE") {
    expose(config, rest);
  } else if (name == "HEALTHCHECK" && iequals(rest, "none")) {
    config.healthcheck = Healthcheck{};
    config.healthcheck->test = {"NONE"};
  } else if (name == "ONBUILD") {
    config.on_build.emplace_back(rest);
  } else if (name == "STOPSIGNAL") {
    config.stop_signal = expand(rest, config);
  } else if (name == "USER") {
    config.user = expand(rest, config);
  } else if (name == "VOLUME") {
    auto list = exec_form(rest);
    for (const std::string& path : list ? *list : words(expand(rest, config))) config.volumes[path];
  } else if (name == "WORKDIR") {
    work_dir(config, rest);
  } else {
    bad(cat(to_lower(name), " is not a valid change command"));
  }
}

}  // namespace

void apply_changes(ImageDefaults& config, const std::vector<std::string>& changes) {
  for (const std::string& text : changes) {
    for (const std::string& line : split(text, '\n')) {
      if (!trim(line).empty()) apply(config, line);
    }
  }
}

}  // namespace proa::oci
