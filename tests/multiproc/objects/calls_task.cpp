// calls_task sync PATH | touch PATH | names | async | first_hit | snapshots | bad: what a task may
// ask about sets and objects beside leases, and what it is told when it asks wrongly. Each rank has
// sets of its own, but for snapshots.
#include <krg/error/must.h>
#include <krg/task/space.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using krg::Errc;
using krg::kddm::copy_on_write;
using krg::kddm::ObjectId;
using krg::kddm::SetFlag;
using krg::kddm::SetId;
using krg::kddm::SetOptions;
using krg::kddm::Space;
using krg::kddm::Use;

constexpr SetId kNobodys{123456};
constexpr ObjectId kOne{1};
int wrong = 0;

void expect(bool right, const char* what) {
  if (right) return;
  ++wrong;
  std::fprintf(stderr, "not so: %s\n", what);
}
// An error of this code, whose message names the thing.
void expect_error(const krg::Status& how, Errc code, const char* thing, const char* what) {
  const std::string said = how ? "success" : how.error().message();
  if (!how && how.error().code() == code && said.find(thing) != std::string::npos) return;
  ++wrong;
  std::fprintf(stderr, "%s: \"%s\", not one of \"%s\"\n", what, said.c_str(), thing);
}
template <class T>
krg::Status status_of(const krg::Result<T>& result) {
  return result ? krg::Status() : krg::Status(result.error());
}

SetOptions of_size(std::uint64_t bytes) {
  SetOptions options;
  options.object_bytes = bytes;
  return options;
}
SetOptions in_file(const std::string& path) {
  SetOptions options = of_size(4096);
  options.policy = krg::kddm::HomePolicy::fixed;
  options.home = krg::NodeId{0};
  options.flags = static_cast<std::uint32_t>(SetFlag::touch_at_home);
  options.linker = "file";
  options.linker_data = path;
  return options;
}
void fill(Space& space, SetId set, ObjectId object, int value) {
  auto lease = must(space.grab(set, object), "an object to fill");
  std::memset(lease.bytes().data(), value, lease.bytes().size());
}
bool all(std::span<const std::byte> bytes, std::size_t size, int value) {
  for (const std::byte b : bytes) {
    if (b != static_cast<std::byte>(value)) return false;
  }
  return bytes.size() == size;
}

// --- sync of a set ------------------------------------------------------------------------------

bool has(const std::string& path, std::uint64_t objects) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(4096, 0);
  for (std::uint64_t i = 0; i < objects; ++i) {
    if (!file.read(bytes.data(), 4096)) return false;
    if (bytes != std::string(4096, static_cast<char>('a' + i))) return false;
  }
  return true;
}

void sync(Space& space, const std::string& path) {
  constexpr std::uint64_t kObjects = 20;
  const SetId set = must(space.create(in_file(path)), "a set in a file");
  for (std::uint64_t i = 0; i < kObjects; ++i) {
    fill(space, set, ObjectId{i}, static_cast<int>('a' + i));
  }
  expect(!has(path, kObjects), "nothing is in the file before");
  expect_error(space.sync(set, Use{.timeout = 0s}), Errc::timed_out, "a set", "no time at all");
  must(space.sync(set), "sync of a set");
  expect(has(path, kObjects), "all of it is in the file");
  must(space.sync(set, Use{.timeout = 20s}), "sync of what has not changed");
  expect_error(space.sync(must(space.create(of_size(8)), "a set")), Errc::not_supported,
               "nowhere but in memory", "sync of a set in memory");
  expect_error(space.sync(kNobodys), Errc::not_found, "no such set", "sync of an unknown set");
  must(space.destroy(set), "the end of a set");
  expect_error(space.sync(set), Errc::not_found, "no such set", "sync of a destroyed set");
  const SetId full = must(space.create(in_file("/dev/full")), "a set on a full disk");
  fill(space, full, ObjectId{0}, 1);
  expect_error(space.sync(full), Errc::no_space, "the set's linker", "sync on a full disk");
}

// --- manual first touch --------------------------------------------------------------------------

void touch(Space& space, const std::string& path) {
  const Use by_hand{.manual_touch = true};
  const SetId first = must(space.create(in_file(path)), "a set in a file");
  fill(space, first, kOne, 'x');
  must(space.sync(first), "sync");
  must(space.destroy(first), "the end of the set");
  const SetId set = must(space.create(in_file(path)), "another set of the file");
  expect_error(status_of(space.get(set, kOne, by_hand)), Errc::invalid_argument,
               "a manual first touch", "a get that makes what it reads");
  expect_error(space.prefetch(set, kOne, by_hand), Errc::invalid_argument, "a manual first touch",
               "a prefetch that makes what it reads");
  expect(all(must(space.grab(set, kOne, by_hand), "an object made by hand").bytes(), 4096, 0),
         "the file is not read");
  fill(space, set, kOne, 'y');
  expect(all(must(space.grab(set, kOne, by_hand), "the object again").bytes(), 4096, 'y'),
         "what exists stays");
  SetOptions options = of_size(100);
  options.variable_size = true;
  const SetId variable = must(space.create(options), "a set of variable size");
  const Use of_40{.manual_touch = true, .touch_bytes = 40};
  must(status_of(space.grab(variable, ObjectId{2})), "an object without bytes");
  for (const ObjectId object : {kOne, ObjectId{2}}) {
    expect(all(must(space.grab(variable, object, of_40), "40 bytes").bytes(), 40, 0), "40 zeros");
  }
}

// --- name spaces --------------------------------------------------------------------------------

// The Space is of the name space "calls"; all ranks share it.
void names(Space& space, unsigned rank) {
  expect(space.name_space() == must(space.find_name_space("calls"), "the name space"),
         "a Space is of the name space that it was made with");
  const SetId shared = must(space.open("shared", of_size(8)), "a set of all ranks");
  expect(must(space.options_of(shared), "what it is").name_space == space.name_space(),
         "a set is in the Space's name space");
  const std::string own = "own" + std::to_string(rank);
  const auto other = must(space.create_name_space("calls." + own), "a name space");
  SetOptions options = of_size(8);
  options.name_space = other;
  const SetId there = must(space.open("shared", options), "a set of the same name");
  expect(there != shared && must(space.look_up("shared"), "a name") == shared,
         "a name means a set in each");
  fill(space, there, kOne, 1);
  must(space.destroy_name_space(other), "the end of a name space");
  expect_error(status_of(space.get(there, kOne)), Errc::not_found, "no such set",
               "a set of a name space that has ended");
  expect_error(status_of(space.create(options)), Errc::not_found, "no such name space",
               "a set in a name space that has ended");
  expect_error(space.destroy_name_space(krg::kddm::kDefaultNameSpace), Errc::denied,
               "the default name space", "the end of the default one");
  must(space.bind(own, shared), "a name");
  expect(must(space.look_up(own), "the name") == shared, "what is in the Space's own stays");
}

// --- leases without waiting ---------------------------------------------------------------------

// What krgd has just given is frozen for an instant: then it is no hit yet.
krg::kddm::Ticket<krg::kddm::ReadLease> start_hit(Space& space, SetId set) {
  for (int i = 0;; ++i) {
    auto ticket = must(space.start_get(set, kOne), "a get of what is here");
    if (ticket.ready() || i == 2000) return ticket;
    static_cast<void>(must(ticket.wait(), "an object"));
    std::this_thread::sleep_for(1ms);
  }
}
// Calls that were given up are under way until krgd has noticed.
krg::Result<krg::kddm::Ticket<krg::kddm::WriteLease>> start_grab(Space& space, SetId set,
                                                                 ObjectId object) {
  for (int i = 0;; ++i) {
    auto ticket = space.start_grab(set, object);
    if (ticket || ticket.error().code() != Errc::would_block || i == 2000) return ticket;
    std::this_thread::sleep_for(1ms);
  }
}

void tickets(Space& space) {
  const SetId set = must(space.create(of_size(8)), "a set");
  fill(space, set, kOne, 1);
  auto hit = start_hit(space, set);
  expect(hit.ready(), "a hit is there at once");
  expect(must(hit.wait(), "the hit").bytes()[0] == std::byte{1}, "it is the object");
  expect_error(status_of(hit.wait()), Errc::invalid_argument, "was taken", "a second wait");
  auto first = must(space.grab(set, kOne), "an object");
  auto waits = must(space.start_grab(set, kOne), "a grab of what is held");
  expect(!waits.ready(), "it waits");
  expect_error(status_of(waits.wait(20ms)), Errc::timed_out, "still goes on", "a short wait");
  first.end();
  auto lease = must(waits.wait(20s), "the grab");
  lease.bytes()[0] = std::byte{2};
  lease.end();
  auto removal = must(space.start_remove(set, kOne), "a removal");
  must(removal.wait(), "the removal");
  auto again = must(space.start_remove(set, kOne), "another one");
  expect_error(again.wait(), Errc::not_found, "no such object", "a removal of what is not there");
  fill(space, set, kOne, 3);
  auto synced = must(space.start_sync(set, kOne), "a sync");
  must(synced.wait(), "the sync");
  auto flushed = must(space.start_flush(set, kOne), "a flush");
  static_cast<void>(flushed.wait());  // A node alone can give it to nobody.
  auto outside = must(space.start_get(kNobodys, kOne), "a get");
  expect_error(status_of(outside.wait()), Errc::not_found, "no such set", "an unknown set");
  expect_error(status_of(space.start_get(set, kOne, Use{.manual_touch = true})),
               Errc::invalid_argument, "a manual first touch", "a get that makes what it reads");
}

// Whether there were hits, and a wait was told apart from other misses.
bool counts_are_right(Space& space) {
  const SetId set = must(space.create(of_size(8)), "a set");
  const auto before = space.statistics();
  fill(space, set, kOne, 1);
  for (int i = 0; i < 100; ++i) static_cast<void>(must(space.get(set, kOne), "an object"));
  static_cast<void>(must(must(space.start_get(set, kOne), "a ticket").wait(), "an object"));
  {
    const auto held = must(space.grab(set, kOne), "an object");
    static_cast<void>(space.get(set, kOne, Use{.timeout = 30ms}));
  }
  const auto now = space.statistics();
  const auto gets = now.gets - before.gets, grabs = now.grabs - before.grabs,
             misses = now.misses - before.misses, waits = now.waits - before.waits;
  expect(gets == 102 && grabs == 2, "gets and grabs are counted");
  expect(misses >= 2 && waits < misses, "and what was no hit");
  expect(now.waited - before.waited >= 30ms, "and how long that took");
  return misses < 20 && waits >= 1;
}

// While krgd is late to say that the node may serve on, nothing hits (Miss::expired).
void statistics(Space& space) {
  bool right = counts_are_right(space);
  for (int i = 0; i < 100 && !right; ++i) {
    std::this_thread::sleep_for(50ms);
    right = counts_are_right(space);
  }
  expect(right, "hits and waits are told apart from other misses");
}

// How long after the node may serve a task's own leases begin.
void first_hit(Space& space) {
  const SetId set = must(space.create(of_size(8)), "a set");
  fill(space, set, kOne, 1);
  const auto begin = std::chrono::steady_clock::now();
  for (bool hit = false; !hit;) {
    const auto before = space.statistics().misses;
    static_cast<void>(must(space.get(set, kOne), "an object"));
    hit = space.statistics().misses == before;
  }
  const auto took = std::chrono::steady_clock::now() - begin;
  std::printf("first hit after %lld us\n",
              static_cast<long long>(std::chrono::microseconds(took / 1us).count()));
}

// Goal    a dropped ticket leaves nothing behind, whenever it is dropped.
// Method  grabs of new objects, dropped at once, after a while, or when they are there, and of one
//         that is held; then everybody can have each object.
void dropped_tickets(Space& space) {
  constexpr std::uint64_t kObjects = 600;
  const SetId set = must(space.create(of_size(8)), "a set");
  for (std::uint64_t i = 0; i < kObjects; ++i) {
    auto ticket = must(start_grab(space, set, ObjectId{i}), "a grab");
    if (i % 3 == 0) static_cast<void>(ticket.ready(std::chrono::microseconds(i % 40)));
    if (i % 3 == 1) expect(ticket.ready(20s), "a new object comes");
  }
  {
    const auto held = must(space.grab(set, ObjectId{0}), "an object");
    for (int i = 0; i < 100; ++i) {
      static_cast<void>(must(start_grab(space, set, ObjectId{0}), "a grab of what is held"));
    }
  }
  for (std::uint64_t i = 0; i < kObjects; ++i) {
    must(status_of(space.grab(set, ObjectId{i}, Use{.timeout = 10s})), "an object once dropped");
  }
  const auto held = must(space.grab(set, kOne), "an object");
  std::vector<krg::kddm::Ticket<krg::kddm::WriteLease>> many;
  krg::Status full;
  while (full && many.size() < 100) {
    auto ticket = space.start_grab(set, kOne);
    full = status_of(ticket);
    if (ticket) many.push_back(std::move(*ticket));
  }
  expect(full.error().code() == Errc::would_block && many.size() == 64, "64 calls at a time");
}

// --- snapshots ----------------------------------------------------------------------------------

void tell(Space& space, SetId flags, std::uint64_t flag) { fill(space, flags, ObjectId{flag}, 1); }
void wait_for(Space& space, SetId flags, std::uint64_t flag) {
  for (;;) {
    const auto lease = must(space.get(flags, ObjectId{flag}), "a flag");
    if (lease.bytes()[0] != std::byte{0}) return;
    std::this_thread::sleep_for(1ms);
  }
}

void look_at_snapshots(Space& space, SetId set, SetId flags) {
  fill(space, set, kOne, 1);
  auto first = must(copy_on_write(must(space.get(set, kOne), "an object")), "a snapshot");
  tell(space, flags, 0);
  wait_for(space, flags, 1);
  expect(all(first.bytes(), 1000, 1), "what another node writes does not change it");
  auto second = must(copy_on_write(must(space.get(set, kOne), "an object")), "a second one");
  fill(space, set, kOne, 3);
  expect(all(second.bytes(), 1000, 2), "what this task writes does not change it");
  std::memset(second.bytes().data(), 9, 1000);
  expect(all(must(space.get(set, kOne), "an object").bytes(), 1000, 3), "nor the other way round");
  auto writer = must(space.grab(set, kOne), "an object to write");
  std::memset(writer.bytes().data(), 4, 1000);
  const auto third = must(copy_on_write(std::move(writer)), "a writer's");
  fill(space, set, kOne, 5);
  expect(all(third.bytes(), 1000, 4), "a writer's has what it has written");
  first = must(copy_on_write(must(space.get(set, kOne), "an object")), "a fourth one");
  expect(all(first.bytes(), 1000, 5), "one may take the place of another");
  auto ended = must(space.get(set, kOne), "an object");
  ended.end();
  expect_error(status_of(copy_on_write(std::move(ended))), Errc::invalid_argument,
               "a lease that has ended", "a snapshot by a lease that has ended");
  must(space.destroy(set), "the end of the set");
  expect(all(third.bytes(), 1000, 4) && all(first.bytes(), 1000, 5), "they outlive the set");
}

void snapshots(Space& space, unsigned rank) {
  const SetId set = must(space.open("calls.snapshots", of_size(1000)), "the set");
  const SetId flags = must(space.open("calls.flags", of_size(1)), "the flags");
  if (rank == 0) return look_at_snapshots(space, set, flags);
  wait_for(space, flags, 0);
  fill(space, set, kOne, 2);
  tell(space, flags, 1);
}

// --- what is asked wrongly ----------------------------------------------------------------------

void grab_twice(Space& space) {
  const SetId set = must(space.create(of_size(8)), "a set");
  auto first = must(space.grab(set, kOne), "the first grab");
  const Use briefly{.timeout = 200ms}, at_once{.try_only = true};
  expect_error(status_of(space.grab(set, kOne, briefly)), Errc::timed_out, "a shared object",
               "a second grab");
  expect_error(status_of(space.grab(set, kOne, at_once)), Errc::would_block, "a shared object",
               "a second grab by try");
  expect_error(status_of(space.get(set, kOne, at_once)), Errc::would_block, "a shared object",
               "a get by try");
  first.bytes()[0] = std::byte{5};
  first.end();
  expect(must(space.grab(set, kOne), "a later grab").bytes()[0] == std::byte{5},
         "the system goes on");
}

void put_twice(Space& space) {
  SetOptions options = of_size(100);
  options.variable_size = true;
  const SetId set = must(space.create(options), "a set");
  auto first = must(space.grab(set, kOne), "a grab");
  first.end();
  auto second = must(space.grab(set, kOne), "a second grab");
  first.end();
  expect_error(status_of(space.grab(set, kOne, Use{.try_only = true})), Errc::would_block,
               "a shared object", "a grab of what the second lease holds");
  expect_error(space.resize(first, 10), Errc::invalid_argument, "a lease that has ended",
               "another size by a lease that has ended");
  must(space.resize(second, 10), "another size");
}

void ids_out_of_range(Space& space) {
  SetOptions options = of_size(8);
  options.object_count = 10;
  const SetId set = must(space.create(options), "a set of ten objects");
  const char* const thing = "an object id";
  const auto refused = [&](const krg::Status& how, const char* what) {
    expect_error(how, Errc::invalid_argument, thing, what);
  };
  for (const ObjectId object : {ObjectId{10}, ObjectId{~std::uint64_t{0}}}) {
    refused(status_of(space.get(set, object)), "get");
    refused(status_of(space.grab(set, object)), "grab");
    refused(space.flush(set, object), "flush");
    refused(space.sync(set, object), "sync");
    refused(space.remove(set, object), "remove");
    refused(space.prefetch(set, object), "prefetch");
    expect(!space.find(set, object), "it is not found");
  }
  refused(space.prefetch_range(set, ObjectId{5}, 10), "prefetch of a range");
  auto coming = must(space.start_prefetch(set, ObjectId{5}, 10), "a prefetch");
  refused(coming.wait(), "prefetch without waiting");
  expect(space.find(set, ObjectId{9}), "those before it have come");
  auto range = space.get_range(set, ObjectId{9}, 2);
  must(status_of(range.next()), "the last one of the set");
  refused(status_of(range.next()), "the next one of the range");
  expect(range.done(), "the range is done");
}

void too_large(Space& space) {
  expect_error(status_of(space.create(of_size(SetOptions::kObjectBytesMax + 1))),
               Errc::invalid_argument, "objects over 1 GiB", "a set of too large objects");
  SetOptions options = of_size(100);
  options.variable_size = true;
  const SetId set = must(space.create(options), "a set of variable size");
  auto lease = must(space.grab(set, kOne), "an object");
  must(space.resize(lease, 100), "the most");
  expect_error(space.resize(lease, 101), Errc::invalid_argument, "a size", "one byte more");
  expect(lease.bytes().size() == 100, "the lease goes on");
  const SetId fixed = must(space.create(of_size(100)), "a set of fixed size");
  auto other = must(space.grab(fixed, kOne), "an object");
  expect_error(space.resize(other, 99), Errc::invalid_argument, "a size", "a fixed size");
}

void what_is_not_there(Space& space) {
  expect_error(status_of(space.look_up("nobody's")), Errc::not_found, "no set of this name",
               "look_up");
  expect_error(space.unbind("nobody's"), Errc::not_found, "no set of this name", "unbind");
  expect_error(status_of(space.look_up("")), Errc::invalid_argument, "name", "an empty name");
  expect_error(status_of(space.get(kNobodys, kOne)), Errc::not_found, "no such set", "get");
  expect_error(space.destroy(kNobodys), Errc::not_found, "no such set", "destroy");
  expect_error(status_of(space.options_of(kNobodys)), Errc::not_found, "no such set", "options_of");
  const SetId set = must(space.create(of_size(8)), "a set");
  expect_error(status_of(space.get(set, kOne, Use{.no_touch = true})), Errc::not_found,
               "no such object", "get without a first touch");
  expect_error(space.remove(set, kOne), Errc::not_found, "no such object", "remove");
  SetOptions options = of_size(8);
  options.linker = "nobody's";
  expect_error(status_of(space.create(options)), Errc::invalid_argument, "no linker of this name",
               "an unknown linker");
  expect_error(space.destroy(SetId{1}), Errc::denied, "own sets", "the end of the set of all sets");
}

void destroyed_while_in_use(Space& space) {
  const SetId set = must(space.create(of_size(8)), "a set");
  auto held = must(space.grab(set, kOne), "an object");
  auto waits = std::async(std::launch::async, [&] { return status_of(space.grab(set, kOne)); });
  std::this_thread::sleep_for(100ms);
  must(space.destroy(set), "the end of a set in use");
  expect_error(waits.get(), Errc::not_found, "no such set", "who waits in a destroyed set");
  held.bytes()[0] = std::byte{1};
  held.end();
  expect_error(status_of(space.get(set, kOne)), Errc::not_found, "no such set", "get afterwards");
  expect_error(space.flush(set, kOne), Errc::not_found, "no such set", "flush afterwards");
  fill(space, must(space.create(of_size(8)), "another set"), kOne, 1);
}

}  // namespace

int main(int argc, char** argv) {
  const char* const rank = std::getenv("KRG_RANK");
  if (argc < 2 || rank == nullptr) return 2;
  const std::string verb = argv[1];
  const auto space = must(Space::connect("", verb == "names" ? "calls" : "default"), "connecting");
  if (verb == "sync" && argc == 3) {
    sync(*space, argv[2] + std::string(".") + rank);
  } else if (verb == "touch" && argc == 3) {
    touch(*space, argv[2] + std::string(".") + rank);
  } else if (verb == "names") {
    names(*space, static_cast<unsigned>(std::strtoul(rank, nullptr, 10)));
  } else if (verb == "async") {
    tickets(*space);
    statistics(*space);
    dropped_tickets(*space);
  } else if (verb == "first_hit") {
    first_hit(*space);
  } else if (verb == "snapshots") {
    snapshots(*space, static_cast<unsigned>(std::strtoul(rank, nullptr, 10)));
  } else if (verb == "bad") {
    grab_twice(*space);
    put_twice(*space);
    ids_out_of_range(*space);
    too_large(*space);
    what_is_not_there(*space);
    destroyed_while_in_use(*space);
  } else {
    return 2;
  }
  std::puts(wrong == 0 ? "right" : "WRONG");
  return wrong == 0 ? 0 : 1;
}
