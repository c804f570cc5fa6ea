// Completion scripts for shells, made from the tables of commands and flags.
#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "cli/console.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

std::vector<std::string> flag_words(const Command& command) {
  std::vector<std::string> words = {"--help"};
  auto add = [&](std::span<const Flag> flags) {
    for (const Flag& flag : flags) {
      if (flag.hidden) continue;
      words.push_back(cat("--", flag.name));
      if (flag.letter) words.push_back(cat("-", flag.letter));
    }
  };
  if (command.flags) add(command.flags());
  if (command.more_flags) add(command.more_flags());
  return words;
}

// Every spelling and its flags; a group and its subcommands.
std::map<std::string, std::string> completions() {
  std::map<std::string, std::string> words;
  std::map<std::string, std::set<std::string>> below;
  for (const Command& command : all_commands()) {
    for (const std::string& path : split(command.paths, '|')) {
      words[path] = join(flag_words(command), " ");
      auto [first, second] = cut(path, ' ');
      below[second ? std::string(first) : ""].insert(second ? std::string(*second) : path);
      if (second) below[""].insert(std::string(first));
    }
  }
  for (const auto& [group, names] : below)
    words[group] = join(std::vector<std::string>(names.begin(), names.end()), " ");
  return words;
}

std::string bash_script() {
  std::string cases;
  for (const auto& [path, words] : completions()) cases += cat("    '", path, "') words='", words, "' ;;\n");
  return cat(R"sh(# proa completion for bash
_proa() {
  local current="${COMP_WORDS[COMP_CWORD]}" path="" words="" word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) continue ;; esac
    case "$path" in '') path="$word" ;; container|image|network|volume|system) path="$path $word" ;; *) break ;; esac
  done
  case "$path" in
)sh",
             cases, R"sh(  esac
  case "$current$path" in
    -*) ;;
    *start|*restart|*rm|*logs|*inspect|*explain|*stop|*kill|*exec|*attach|*wait|*top|*port|*rename|*pause|*unpause|*diff|*cp|*update)
      words="$words $(proa ps -a --format '{{.Names}}' 2>/dev/null)" ;;
    *run|*create|*rmi|*history|*tag) words="$words $(proa images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null)" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _proa proa
)sh");
}

std::string fish_script() {
  std::string text = "# proa completion for fish\n";
  for (const auto& [path, words] : completions()) {
    if (path.empty()) {
      text += cat("complete -c proa -n __fish_use_subcommand -f -a '", words, "'\n");
      continue;
    }
    std::string condition = cat("__fish_seen_subcommand_from ", cut(path, ' ').first);
    if (auto second = cut(path, ' ').second) condition += cat("; and __fish_seen_subcommand_from ", *second);
    for (const std::string& word : split(words, ' ')) {
      if (word.starts_with("--"))
        text += cat("complete -c proa -n '", condition, "' -l ", word.substr(2), "\n");
      else if (!word.starts_with('-'))
        text += cat("complete -c proa -n '", condition, "' -f -a ", word, "\n");
    }
  }
  return text;
}

}  // namespace

int run_completion(Call& call) {
  const std::string& shell = call.arguments()[0];
  if (shell == "bash")
    out(bash_script());
  else if (shell == "zsh")
    out("#compdef proa\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script());
  else if (shell == "fish")
    out(fish_script());
  else
    throw ExitWith{1, cat("proa: no completion for shell ", quoted(shell), ": bash, zsh and fish are known")};
  return 0;
}

}  // namespace proa::cli
