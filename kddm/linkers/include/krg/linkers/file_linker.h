// linkers/file_linker.h: objects that live in a file: object i at offset i x the objects' size.
//
// Model    the linker "file"; SetOptions::linker_data is the file's path. All of an object's I/O is
//          at its home. With SetOptions::home the file is that node's own, and only it does I/O:
//          policy `fixed`, or `linker`, which means the same. Without, the file is on a file system
//          that all nodes have, and each home does the I/O of its objects. A first touch reads;
//          what is beyond the file's end is zeros. write_back() writes in place and returns when
//          the system says that the data are on the disk; what waits for the disk meanwhile is
//          written next, with one sync for all of it. The file is made if there is none.
//          What a crash leaves: each object as it was last written back; one whose write back was
//          under way, or has failed, may be a mix of both contents.
// Threads  owned by the reactor's thread.
// Blocks   never, given an IoThread; else its caller.
// Source   Kerrighed kddm (FT_LINKED sets, file linkers); docs/design/kddm.md, "Files"
#pragma once

#include <memory>
#include <unordered_map>

#include "krg/linkers/io_thread.h"
#include "krg/store/linker.h"

namespace krg::kddm {

class FileLinker final : public Linker {
 public:
  // `io`: nullptr means that calls block. Requires  it outlives this.
  FileLinker(NodeId self, IoThread* io) noexcept : self_(self), io_(io) {}

  const char* name() const noexcept override { return "file"; }
  // Errors  invalid_argument  no absolute path; objects of variable size, or of none; not
  //         touch_at_home
  Status accepts(const SetOptions& options) const override;
  void begin(SetId set, const SetOptions& options) override;
  void end(SetId set) noexcept override;
  bool writes_back() const noexcept override { return true; }
  // Errors of both
  //   unreachable  the node whose file it is, is not in the cluster
  //   no_space     the disk is full, or the file may not become so large
  //   denied       the file may not be opened, or not be written
  //   too_large    the object would lie beyond what a file can hold
  //   not_found    a folder of the path does not exist; system_error
  Co<Status> first_touch(SetId set, ObjectId object, Bytes into) override;
  Co<Status> write_back(SetId set, ObjectId object, std::span<const std::byte> from) override;
  NodeId preferred_home(SetId set, ObjectId object) const noexcept override;

 private:
  class File;
  struct Write;

  // Errors  not_found  no such set; unreachable
  Result<std::shared_ptr<File>> file_of(SetId set) const;
  Co<Status> run(std::function<Status()> work);

  const NodeId self_;
  IoThread* const io_;
  // Shared with work that is under way when the set ends.
  std::unordered_map<SetId, std::shared_ptr<File>> files_;
};

}  // namespace krg::kddm
