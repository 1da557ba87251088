// ghost/file.h: an archive in a file, which is there whole or not at all.
//
// Model    FileSink writes beside the file, under a name of its own, until commit() puts it in the
//          file's place; one that is destroyed before leaves nothing and changes nothing. After
//          commit() the archive outlives a crash of the machine. FileSource reads piece by piece.
// Threads  owned by one thread.
// Blocks   as the file system does: not for the reactor's thread.
// Source   rename(2), fsync(2); docs/design/ghost.md, "Sinks and sources"
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/ghost/sink.h"
#include "krg/ghost/source.h"

namespace krg::ghost {

class FileSink final : public Sink {
 public:
  // Begins the file `path`, readable for its owner alone; what has that name stays until commit().
  // Errors  not_found, denied, no_space, system_error, with errno.
  static Result<FileSink> create(std::string path);
  FileSink(FileSink&& other) noexcept;
  FileSink& operator=(FileSink&&) = delete;
  ~FileSink() override;

  // Errors  no_space  the file system or the user's quota is full; system_error.
  Status write(Bytes head, Bytes body) override;
  // Requires  once, after all was written well.
  // Cost      two fsync(2).
  // Errors    as write(); the file then has its old content, or was never there.
  Status commit();

 private:
  FileSink(std::string path, std::string temporary, UniqueFd fd) noexcept;
  Status flush(Bytes more);

  std::string path_;
  std::string temporary_;  // "" once it has its name, or is another's.
  UniqueFd fd_;
  std::vector<std::byte> buffer_;  // Small parts, until there are enough of them.
};

class FileSource final : public Source {
 public:
  // Errors  not_found, denied, system_error, with errno.
  static Result<FileSource> open(const std::string& path);
  // Reads what `fd` gives: a pipe will do.
  explicit FileSource(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

  Result<Bytes> peek(std::size_t size) override;
  void consume(std::size_t size) noexcept override { begin_ += size; }

 private:
  UniqueFd fd_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // What of the buffer is not consumed.
};

}  // namespace krg::ghost
