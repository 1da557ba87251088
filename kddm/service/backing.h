// backing.h: sets whose objects last elsewhere: in a file, or wherever their linker puts them.
//
// Model    an object is written back by its home, which takes a read copy for that; so the protocol
//          knows nothing of it. What has not been written since its first touch or the last write
//          back is not written again. A last copy is given up for want of room so: the home takes
//          the object for writing, writes it back, lets no lease of its own node begin any more,
//          and has it removed by a `try`: if another node has asked meanwhile, that is refused, and
//          the object stays. Nor does such a removal live through a change of view.
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends.
// Source   Kerrighed kddm (sync_frozen_object, FT_LINKED); docs/design/kddm.md, "Files"
#pragma once

#include <memory>

#include "krg/reactor/co.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"
#include "service.h"

namespace krg::kddm {

// To an object's home: write it back; and, if `drop`, let the cluster forget it.
struct WriteBack {
  static constexpr ServiceId kId{0x13};
  static constexpr const char* kName = "kddm.write_back";
  struct Request {
    SetId set;
    ObjectId object;
    bool drop = false;
    std::uint32_t patience_ms = 0;
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.set, m.object, m.drop, m.patience_ms);
    }
  };
  using Reply = wire::Empty;
};

// To every member: write back all objects of the set whose home it is.
struct WriteAllBack {
  static constexpr ServiceId kId{0x14};
  static constexpr const char* kName = "kddm.write_all_back";
  struct Request {
    SetId set;
    std::uint32_t patience_ms = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.set, m.patience_ms); }
  };
  using Reply = wire::Empty;
};

class Backing {
 public:
  explicit Backing(Service& service);
  Backing(const Backing&) = delete;
  Backing& operator=(const Backing&) = delete;

  static bool is_backed(const Set& set) noexcept {
    return set.linker != nullptr && set.linker->writes_back();
  }
  // By its home, wherever that is. Of what does not exist: nothing.
  // Errors  those of the linker; timed_out, and those of get()
  Co<Status> write_back(Set& set, ObjectId object, Deadline deadline);
  // The same, and the object is nowhere in memory any more: a first touch brings it back.
  // Errors  would_block  somebody uses it
  Co<Status> page_out(Set& set, ObjectId object, Deadline deadline);
  // All objects of the set, on all nodes. Those whose write back fails do not stop the others.
  // Errors  the first of them
  Co<Status> write_all_back(Set& set, Deadline deadline);
  // The same of those whose home is this node.
  Co<Status> write_all_back_here(Set& set, Deadline deadline);

 private:
  struct Sweep;

  Co<Status> ask_home(Set& set, ObjectId object, bool drop, Deadline deadline);
  Co<Status> at_home(Set& set, ObjectId object, bool drop, Deadline deadline);
  Co<Status> write_here(Set& set, ObjectId object, std::uint16_t flags, Deadline deadline);
  Co<Status> page_out_here(Set& set, ObjectId object, Deadline deadline);
  Co<void> write_some(std::shared_ptr<Sweep> sweep, Set& set);
  // Of an object on which there is a lease.
  Co<Status> write_bytes(Set& set, ObjectId object, std::span<const std::byte> bytes);
  Co<Status> forget(Set& set, ObjectId object, Lease lease, Deadline deadline);
  Co<Status> home_rests(Set& set, ObjectId object, Deadline deadline);
  Co<Result<wire::Empty>> serve(WriteBack::Request request);
  Co<Result<wire::Empty>> serve_all(WriteAllBack::Request request);
  Deadline after(std::uint32_t patience_ms) const noexcept;
  std::uint32_t patience(Deadline deadline) const noexcept;

  Service& service_;
  std::uint64_t above_limit_ = 0;  // Objects that are brought here in spite of the limit.
};

}  // namespace krg::kddm
