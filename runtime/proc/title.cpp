#include "krg/proc/title.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace krg::proc {
namespace {

// Argument and environment strings lie one behind the other; the end of the last one that does.
char* end_of_strings(char** strings, char* end) {
  for (; *strings != nullptr; ++strings) {
    if (*strings == end) end += std::strlen(*strings) + 1;
  }
  return end;
}

}  // namespace

void set_title(char** argv, const std::vector<std::string>& words) {
  if (argv == nullptr || argv[0] == nullptr || words.empty()) return;
  char* const begin = argv[0];
  char* const arguments_end = end_of_strings(argv, begin);
  char* const end = end_of_strings(environ, arguments_end);
  // Both live as long as the process: what getenv() returns must stay.
  std::size_t count = 0;
  while (environ[count] != nullptr) ++count;
  char** const moved = new char*[count + 1];
  for (std::size_t i = 0; i < count; ++i) moved[i] = strdup(environ[i]);
  moved[count] = nullptr;
  environ = moved;

  std::string title;
  for (const std::string& word : words) title += (title.empty() ? "" : " ") + word;
  const auto room = static_cast<std::size_t>(end - begin);
  std::memset(begin, 0, room);
  // A title that ends before the arguments did must not look as if it went on behind them: the
  // kernel takes a last byte that is not zero for that.
  std::memcpy(begin, title.data(), std::min(title.size(), room - 1));
  const std::string& path = words.front();
  prctl(PR_SET_NAME, path.c_str() + path.rfind('/') + 1);
}

}  // namespace krg::proc
