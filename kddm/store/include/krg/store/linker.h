// store/linker.h: what an object is. One of the five interfaces that point upwards.
//
// Model    a set names a linker; the store calls it when an object comes into being, arrives, is
//          given up, goes, or is to be written back. kddm never looks into the bytes. The
//          defaults make objects of zero bytes in memory.
// Threads  the reactor's thread of the object's shard.
// Blocks   never; first_touch() and write_back() suspend.
// Source   Kerrighed kddm io_linker; docs/design/layers.md
#pragma once

#include <cstddef>
#include <cstring>
#include <span>

#include "krg/error/result.h"
#include "krg/reactor/co.h"
#include "krg/store/ids.h"
#include "krg/store/residence.h"
#include "krg/store/set_options.h"

namespace krg::kddm {

class Linker {
 public:
  using Bytes = std::span<std::byte>;

  virtual ~Linker() = default;
  // As sets name it: "memory", "file".
  virtual const char* name() const noexcept = 0;
  // Whether a set can be made so; `options` have passed check().
  // Errors  invalid_argument  the text says which
  virtual Status accepts(const SetOptions&) const { return {}; }
  // This node has come to know a set of this linker. Before any call about one of its objects.
  virtual void begin(SetId, const SetOptions&) {}
  // The set was destroyed: no call about it follows, but work that suspends may still go on.
  virtual void end(SetId) noexcept {}
  // Whether objects last elsewhere: sync and flush then write back, and a node without room gives
  // up last copies too, which a first touch brings back. Such sets touch at home.
  virtual bool writes_back() const noexcept { return false; }

  // Where the copies of all its sets lie on this node; nullptr: where kddm likes.
  virtual Residence* residence() noexcept { return nullptr; }

  // Makes the object's first content in `into`, which is not shared with anybody yet. If the view
  // changes before it returns, what it has made is dropped and it is called anew.
  // Errors  whatever stands in the way; the op that touched first ends so, the object stays absent.
  virtual Co<Status> first_touch(SetId, ObjectId, Bytes into) {
    if (!into.empty()) std::memset(into.data(), 0, into.size());
    co_return Status();
  }
  // A copy has arrived and may be read from now on.
  virtual void arrived(SetId, ObjectId, Bytes) noexcept {}
  // The copy must not be looked at any more: the bytes go, or are kept unseen as a spare.
  virtual void given_up(SetId, ObjectId, Bytes) noexcept {}
  // The object does not exist any more, anywhere.
  virtual void removed(SetId, ObjectId) noexcept {}
  // Makes the content last, at the home; nobody writes the bytes meanwhile.
  // Errors  whatever stands in the way; sync or flush ends so, and the copies stay.
  virtual Co<Status> write_back(SetId, ObjectId, std::span<const std::byte>) { co_return Status(); }
  // HomePolicy::linker: where the object is best at home.
  virtual NodeId preferred_home(SetId, ObjectId) const noexcept { return kNoNode; }
};

// Objects in memory, zeros at first.
class MemoryLinker final : public Linker {
 public:
  const char* name() const noexcept override { return "memory"; }
};

}  // namespace krg::kddm
