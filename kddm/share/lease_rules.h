// The leases of one slot: who may begin one, and what krgd sees. All of the algorithm and nothing
// of memory, so that a test can run every interleaving of it.
//
// A reader publishes the slot in its task's table, then looks at the word again. A writer puts its
// index into the word, then looks at all tables. krgd freezes the word, then looks at word and
// tables. Every operation on the word and the tables is sequentially consistent, so of any two
// that exclude each other at least one sees the other and gives way:
//
//   (1) A read lease is good when, after it was published, the word was seen as it had been:
//       `readers` set, no writer, not frozen, same generation.
//   (2) `readers` is cleared only by somebody who has kept readers out, then looked at the tables
//       and found none: a writer at its end, or krgd when it thaws.
//   So while a good read lease lives the word has `readers`: what was seen by (1) had it, and to
//   clear it one must have looked after (1), and would have found the entry. A writer that finds
//   `readers` clear when it puts its index in therefore needs no look at the tables: there is no
//   good read lease, and none becomes good before the writer's end, by (1).
//   (3) A writer that finds an entry gives way, and leaves `readers` as it is. The entry may belong
//       to a reader that gives way too; then both go to krgd, which lets one of them in.
//
// A writer's entry is in its table before its index is in the word, and longer; so the table of a
// dead task names every slot whose word may name the task. It excludes nobody, so it needs no order
// but that: it may be a plain store, put in order by the change of the word between. Nobody is
// waited for here: any task may stop or die between two steps. Who ends a lease and then sees the
// word frozen rings: either it sees that, or krgd, which looks at the tables after it froze the
// word, does not see the lease.
//
// Memory is the slot and the tables as one task, or krgd, sees them:
//   Word load_word(); bool cas_word(Word& expected, Word desired);
//   Word set_word(bits), clear_word(bits): the word before. void store_word(Word): krgd alone.
//   bool publish(LeaseKind): false if the table is full. void unpublish(); void ring();
//   bool any_reader(): of all tasks. bool names_writer(TaskIndex): in the task's table.
//   void count_write(): version + 1. TaskIndex task().
#pragma once

#include "krg/share/node_store.h"
#include "krg/share/types.h"
#include "krg/share/word.h"

namespace krg::kddm::rules {

// Seeded bugs, for the test of the test.
enum class Mutant {
  none,
  trust_first_look,      // A reader does not look again.
  forget_readers_bit,    // A reader does not set it.
  skip_tables,           // A writer does not look at the tables.
  look_then_announce,    // A writer looks at the tables before its index is in the word.
  yield_clears_readers,  // A writer that gives way clears the bit.
  reader_rings_never,
  ring_before_end,       // A reader looks whether it is to ring before it ends its lease.
  writer_entry_late,     // A writer's entry is published after its index.
  death_clears_readers,  // A dead writer's bit is cleared with it, though it may have looked at
                         // nothing.
};

// A reader that loses to writers so often is better off in krgd's queue.
inline constexpr int kReadTries = 4;
inline constexpr int kThawTries = 64;

inline Miss why_not(Word word, std::uint32_t generation, LeaseKind kind) noexcept {
  if (word.generation() != generation) return Miss::absent;
  if (word.contended()) return Miss::contended;
  if (kind == LeaseKind::read ? !word.readable() : !word.writable()) return Miss::access;
  return word.has_writer() ? Miss::writer : Miss::none;
}

template <Mutant kMutant = Mutant::none, class Memory>
void end_read(Memory& m) {
  if constexpr (kMutant == Mutant::ring_before_end) {
    const bool wanted = m.load_word().contended();
    m.unpublish();
    if (wanted) m.ring();
    return;
  }
  m.unpublish();
  if (m.load_word().contended() && kMutant != Mutant::reader_rings_never) m.ring();
}

template <Mutant kMutant = Mutant::none, class Memory>
Miss begin_read(Memory& m, std::uint32_t generation) {
  Word word = m.load_word();
  for (int tries = 0; tries < kReadTries; ++tries) {
    if (const Miss miss = why_not(word, generation, LeaseKind::read); miss != Miss::none) {
      return miss;
    }
    if (!word.readers() && kMutant != Mutant::forget_readers_bit) {
      const Word marked = word.with(Word::kReaders);
      if (!m.cas_word(word, marked)) continue;
      word = marked;
    }
    if (!m.publish(LeaseKind::read)) return Miss::full;
    if constexpr (kMutant == Mutant::trust_first_look) return Miss::none;
    if (m.load_word() == word) return Miss::none;
    // krgd may have seen the entry and wait for its end: as at the end of a good lease.
    end_read<kMutant>(m);
    word = m.load_word();
  }
  return Miss::writer;
}

// The end of a writer, and of one that gives way.
template <class Memory>
void leave_word(Memory& m, std::uint64_t bits) {
  const Word was = m.clear_word(bits);
  m.unpublish();
  if (was.contended()) m.ring();
}

template <class Memory>
void end_write(Memory& m) {
  m.count_write();
  leave_word(m, Word::kWriterMask | Word::kReaders);
}

template <Mutant kMutant = Mutant::none, class Memory>
Miss begin_write(Memory& m, std::uint32_t generation) {
  Word word = m.load_word();
  bool readers = false;
  if constexpr (kMutant == Mutant::look_then_announce) readers = m.any_reader();
  if (const Miss miss = why_not(word, generation, LeaseKind::write); miss != Miss::none) {
    return miss;
  }
  if (kMutant != Mutant::writer_entry_late && !m.publish(LeaseKind::write)) return Miss::full;
  while (!m.cas_word(word, word.with_writer(m.task()))) {
    if (const Miss miss = why_not(word, generation, LeaseKind::write); miss != Miss::none) {
      m.unpublish();
      return miss;
    }
  }
  if (kMutant == Mutant::writer_entry_late && !m.publish(LeaseKind::write)) return Miss::full;
  if (kMutant != Mutant::skip_tables && kMutant != Mutant::look_then_announce) {
    readers = word.readers() && m.any_reader();
  }
  if (!readers) return Miss::none;
  leave_word(m, kMutant == Mutant::yield_clears_readers ? Word::kWriterMask | Word::kReaders
                                                        : Word::kWriterMask);
  return Miss::readers;
}

// --- krgd
// ------------------------------------------------------------------------------------------

// Requires  the word is frozen: so no lease becomes good during the look.
template <class Memory>
Frozen look(Memory& m) {
  Frozen found;
  Word word = m.load_word();
  if (word.has_writer() && !m.names_writer(word.writer())) {
    // It ended while we looked: its index goes before its entry. Else the index was never a
    // writer's.
    if (m.load_word() == word) m.clear_word(Word::kWriterMask);
    word = m.load_word();
  }
  found.writer = word.writer();
  found.readers = word.readers() && m.any_reader();
  return found;
}

template <class Memory>
Frozen freeze(Memory& m) {
  m.set_word(Word::kContended);
  return look(m);
}

// Lets leases begin. `left` is what a look at the frozen word has found since the last grant:
// nobody reads who did not then.
template <class Memory>
bool thaw(Memory& m, const Frozen& left, Access access, std::uint32_t generation) {
  if (left.readers && access == Access::none) return false;
  if (left.writer != kNoTask && access != Access::write) return false;
  Word thawed(access, generation);
  if (left.readers) thawed = thawed.with(Word::kReaders);
  if (left.writer == kNoTask) {
    m.store_word(thawed);  // Without a writer nobody changes a frozen word.
    return true;
  }
  Word word = m.load_word();
  // The writer may end at any time; the word changes more often only under a task gone wild.
  for (int tries = 0; tries < kThawTries; ++tries) {
    if (m.cas_word(word, word.has_writer() ? thawed.with_writer(word.writer()) : thawed))
      return true;
  }
  return false;
}

// Puts a lease that krgd begins in a task's name into a frozen word. Its entry is in the table.
// Requires  a look has found nobody who forbids it; so a `readers` bit that stands is of the past
//           if the lease is for writing.
template <class Memory>
void let_in(Memory& m, LeaseKind kind, TaskIndex task) {
  if (kind == LeaseKind::read) {
    m.set_word(Word::kReaders);
  } else {
    m.store_word(Word(m.load_word().bits() & ~Word::kReaders).with_writer(task));
  }
}

// Ends what the table of a dead task names. Whether it may have changed the bytes; a writer that
// was still looking at the tables has not, but that can not be told: an entry beside it may be that
// of a reader that gives way.
template <Mutant kMutant = Mutant::none, class Memory>
bool end_dead_writer(Memory& m, TaskIndex dead) {
  if (m.load_word().writer() != dead) return false;
  m.count_write();
  // `readers` stays: the dead may not have looked.
  m.clear_word(kMutant == Mutant::death_clears_readers ? Word::kWriterMask | Word::kReaders
                                                       : Word::kWriterMask);
  return true;
}

}  // namespace krg::kddm::rules
