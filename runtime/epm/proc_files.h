// proc_files.h: files of /proc, read whole.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "krg/epm/image.h"

namespace krg::epm {

// "" if there is none.
std::string slurp(const std::string& path);
std::string read_link(const std::string& path);
// The numbers among the names of a folder, in order.
std::vector<int> numbered(const std::string& folder);
// "/proc/PID/" + name
std::string of(pid_t pid, const char* name);
// Of the file that `path` leads to; all zero if it leads to none.
FileId identify(const std::string& path);
FileId identify(int fd);

}  // namespace krg::epm
