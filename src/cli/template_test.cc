#include "cli/template.h"

#include <gtest/gtest.h>

#include "cli/table.h"

namespace proa::cli {
namespace {

std::string run(std::string_view text, std::string_view data = "{}") {
  return Template(text).execute(json::parse(data));
}
std::string failure(std::string_view text, std::string_view data = "{}") {
  try {
    run(text, data);
    return "";
  } catch (const Error& error) {
    return error.message();
  }
}

constexpr const char* kContainer =
    R"({"Id":"abc","Name":"/web","State":{"Pid":42,"Running":true},"Config":{"Env":["A=1","B=2"],"Labels":{"com.x":"y"},"Cmd":null},
        "NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}],"90/tcp":null},"Networks":{"bridge":{"IPAddress":"172.17.0.2"}}}})";

TEST(Template, ReadsFields) {
  EXPECT_EQ(run("{{.Name}} {{.State.Pid}} {{.State.Running}}", kContainer), "/web 42 true");
  EXPECT_EQ(run("{{.ID}}", kContainer), "abc");
}

TEST(Template, RangesOverMapsInOrder) {
  EXPECT_EQ(run("{{range $k, $v := .NetworkSettings.Networks}}{{$k}}={{$v.IPAddress}};{{end}}", kContainer),
            "bridge=172.17.0.2;");
  EXPECT_EQ(run("{{range $p, $conf := .NetworkSettings.Ports}} {{$p}} -> {{(index $conf 0).HostPort}} {{break}}{{end}}",
                kContainer),
            " 80/tcp -> 8080 ");
  EXPECT_EQ(run("{{range .Config.Env}}{{println .}}{{else}}none{{end}}", kContainer), "A=1\nB=2\n");
}

TEST(Template, IndexesNestedMaps) {
  EXPECT_EQ(run("{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}", kContainer), "8080");
  EXPECT_EQ(run("{{index .Config.Labels \"com.x\"}}", kContainer), "y");
}

TEST(Template, PrintsAsGoDoes) {
  EXPECT_EQ(run("{{.Config.Env}} {{.Config.Labels}}", kContainer), "[A=1 B=2] map[com.x:y]");
  EXPECT_EQ(run("{{.Config.Labels.missing}}", kContainer), "<no value>");
  EXPECT_EQ(run("{{json .Config}}", kContainer), R"({"Env":["A=1","B=2"],"Labels":{"com.x":"y"},"Cmd":null})");
}

TEST(Template, DecidesAndCompares) {
  EXPECT_EQ(run("{{if .State.Running}}up{{else}}down{{end}}", kContainer), "up");
  EXPECT_EQ(run("{{if and (gt .State.Pid 1) (eq .Name \"/x\" \"/web\")}}y{{end}}", kContainer), "y");
  EXPECT_EQ(run("{{if not .Config.Cmd}}a{{else if .Name}}b{{end}}", kContainer), "a");
  EXPECT_EQ(run("{{with .State}}{{.Pid}}{{end}}", kContainer), "42");
}

TEST(Template, PipesAndVariables) {
  EXPECT_EQ(run("{{$n := .Name}}{{$n | printf \"%-6s|\"}}{{upper $n}}", kContainer), "/web  |/WEB");
  EXPECT_EQ(run("{{join .Config.Env \",\"}} {{len .Config.Env}} {{slice .Id 0 2}}", kContainer), "A=1,B=2 2 ab");
  EXPECT_EQ(
      run("{{range split \"a,b\" \",\"}}<{{.}}>{{end}}{{pad \"x\" 1 2}}{{truncate \"abcdef\" 3}}{{title \"a b\"}}"),
      "<a><b> x  abcA B");
}

TEST(Template, TrimsBlanks) { EXPECT_EQ(run("a  {{- 1 -}}  b {{/* no */ -}} c"), "a1b c"); }

TEST(Template, DefinesTemplates) {
  EXPECT_EQ(run("{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .Id}}", kContainer), "<abc>");
}

TEST(Template, ComplainsAsGoDoes) {
  EXPECT_EQ(failure("{{.foo"), "template: :1: unclosed action");
  EXPECT_EQ(failure("{{foo}}"), "template: :1: function \"foo\" not defined");
  EXPECT_EQ(failure("{{if 1}}"), "template: :1: unexpected EOF");
  EXPECT_EQ(failure("{{.Nope}}", kContainer),
            "template: :1:2: executing \"\" at <.Nope>: can't evaluate field Nope in type interface {}");
}

TEST(Template, NeverCrashesOnRubbish) {
  for (const char* text : {"{{",
                           "{{}}",
                           "{{(}}",
                           "{{)}}",
                           "{{|}}",
                           "{{.a |}}",
                           "{{$}}",
                           "{{$x}}",
                           "{{range}}",
                           "{{end}}",
                           "{{else}}",
                           "{{\"",
                           "{{index 1 2}}",
                           "{{slice \"abc\" 5}}",
                           "{{printf \"%d\" \"x\"}}",
                           "{{printf}}",
                           "{{template \"x\"}}",
                           "{{/*",
                           "{{1 2}}",
                           "{{index}}",
                           "{{lt 1 \"a\"}}",
                           "{{define \"t\"}}{{template \"t\"}}{{end}}{{template \"t\"}}"}) {
    failure(text);
  }
}

TEST(Template, ShowsTheZeroValuesOfDockersTypes) {
  auto strict = [](std::string_view text) {
    Json data = json::parse(
        R"({"State":{"Pid":0},"Config":{"Cmd":null},"HostConfig":{"LogConfig":{"Type":"json-file","Config":{}},"Binds":null}})");
    try {
      return Template(text).execute(data, {.strict = true});
    } catch (const Error& error) {
      return std::string(error.message());
    }
  };
  EXPECT_EQ(strict("{{.Config.Cmd}} {{json .Config.Cmd}} {{len .Config.Cmd}}"), "[] null 0");
  EXPECT_EQ(strict("{{.Config.ExposedPorts}} {{.HostConfig.Binds}} {{json .State.Health}}"), "map[] [] null");
  EXPECT_EQ(strict("{{.HostConfig.LogConfig}} {{.HostConfig.LogConfig.Config}}"), "{json-file map[]} map[]");
  EXPECT_EQ(strict("{{range .HostConfig.CapAdd}}x{{else}}none{{end}} {{.SizeRw}}"), "none <nil>");
  EXPECT_EQ(strict("{{.Labels}}"), "template: :1:2: executing \"\" at <.Labels>: map has no entry for key \"Labels\"");
  EXPECT_EQ(strict("{{.Config.Nope}}"),
            "template: :1:2: executing \"\" at <.Config.Nope>: map has no entry for key \"Nope\"");
}

TEST(Tabs, AlignColumnsWithThreeBlanks) {
  EXPECT_EQ(align_tabs("CONTAINER ID\tIMAGE\nabcdefabcdef\tbusybox\n"),
            "CONTAINER ID   IMAGE\nabcdefabcdef   busybox\n");
  EXPECT_EQ(align_tabs("A\tB\n1\t2\n"), "A         B\n1         2\n");
}

TEST(Listing, MakesTheHeaderFromTheSameTemplate) {
  static constexpr Column kColumns[] = {{"ID", "CONTAINER ID"}, {"Names", "NAMES"}};
  Listing list(kColumns, "table {{.ID}}\\t{{lower .Names}}\\t{{.Label \"com.my-key\"}}", "", "t");
  JsonObject row;
  row["ID"] = "abc", row["Names"] = "Web";
  row["\x01labels"] = JsonObject{{"com.my-key", "v"}};
  EXPECT_EQ(list.render({row}), "CONTAINER ID   NAMES     my key\nabc            web       v\n");
}

}  // namespace
}  // namespace proa::cli
