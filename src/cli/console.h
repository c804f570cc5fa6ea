// Where the client's own text goes. Unbuffered: what was written is seen, in order.
#pragma once

#include <string>
#include <string_view>

namespace proa::cli {

void out(std::string_view text);       // standard output
void out_line(std::string_view line);  // and a new line
void err(std::string_view text);       // standard error
void err_line(std::string_view line);

bool is_terminal(int fd);
// Columns of the terminal on standard output or error; `otherwise` where there is none.
int terminal_width(int otherwise);
// Asks on standard output and reads a line: true for "y" or "yes". False at the end of input.
bool confirm(std::string_view question);

}  // namespace proa::cli
