// open_files.h: the files of an image, opened by whoever rebuilds it, for a child to inherit.
//
// Model    each is opened at a number above all that the image names, without close-on-exec; the
//          child then puts it where it belongs. Paths must lead to what they led to at the source.
// Threads  owned by one thread.
// Blocks   as open(2) does.
// Source   docs/design/epm.md, "Files"
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/epm/image.h"
#include "relay.h"

namespace krg::epm {

class OpenFiles {
 public:
  struct Place {
    int from = -1;
    int to = -1;
    bool close_on_exec = false;
  };

  // `relays` gets our ends of what is relayed. On failure complaint() says of what.
  // Errors  not_found, stale (the path leads to another file), limit_reached, system_error
  Status open(const Image& image, Relays& relays);
  const std::string& complaint() const noexcept { return complaint_; }
  // Where the child finds what it maps; -1: none.
  int of_mapping(const MappingImage& mapping) const;
  const std::vector<Place>& places() const noexcept { return places_; }
  // All from this number on are ours.
  int first() const noexcept { return first_; }
  // inode of the task's end -> relay, of what was opened.
  const std::map<std::uint64_t, std::uint64_t>& relayed() const noexcept { return relayed_; }
  // Our copies: the child has its own.
  void close() noexcept { held_.clear(); }

 private:
  Result<int> keep(UniqueFd fd);
  Status open_mapped(const Image& image);
  Status open_file(const FileImage& file, const Image& image, Relays& relays);
  Result<UniqueFd> open_path(const FileImage& file);
  Status open_pipe(const FileImage& reader, const Image& image);
  Result<UniqueFd> open_relay(const FileImage& file, Relays& relays);
  void place(const FileImage& file, int from);

  int first_ = 600;
  int next_ = 600;
  std::vector<UniqueFd> held_;
  std::map<std::pair<std::string, bool>, int> mapped_;
  std::map<int, int> by_fd_;
  std::map<std::uint64_t, std::uint64_t> relayed_;
  std::vector<Place> places_;
  std::string complaint_;
};

}  // namespace krg::epm
