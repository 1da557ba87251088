// A work queue over all nodes: rank 0 puts numbers in, whoever is free takes the next one.
//
// The queue is a set of two kinds of objects: object 0 says how far putting and taking have come,
// the others are the pieces of work. Taking is one grab of object 0.
#include "example.h"

namespace {

using namespace example;

struct Cursor {
  std::uint64_t put = 0;
  std::uint64_t taken = 0;
  std::uint64_t closed = 0;  // Nothing more will be put.
};

class WorkQueue {
 public:
  explicit WorkQueue(Space& space) : space_(space) {
    SetOptions options;
    options.object_bytes = sizeof(Cursor);
    set_ = must(space.open("example.work_queue", options), "the queue");
  }

  void put(std::uint64_t work) {
    auto lease = must(space_.grab(set_, kCursor), "the cursor");
    Cursor cursor = read<Cursor>(lease.bytes());
    {
      auto piece = must(space_.grab(set_, ObjectId{1 + cursor.put}), "a piece of work");
      std::memcpy(piece.bytes().data(), &work, sizeof work);
    }
    ++cursor.put;
    std::memcpy(lease.bytes().data(), &cursor, sizeof cursor);
  }
  void close() {
    auto lease = must(space_.grab(set_, kCursor), "the cursor");
    Cursor cursor = read<Cursor>(lease.bytes());
    cursor.closed = 1;
    std::memcpy(lease.bytes().data(), &cursor, sizeof cursor);
  }
  // The next piece of work; false when there is none and never will be.
  bool take(std::uint64_t& work) {
    for (;;) {
      ObjectId piece;
      {
        auto lease = must(space_.grab(set_, kCursor), "the cursor");
        Cursor cursor = read<Cursor>(lease.bytes());
        if (cursor.taken == cursor.put && cursor.closed != 0) return false;
        if (cursor.taken < cursor.put) {
          piece = ObjectId{1 + cursor.taken++};
          std::memcpy(lease.bytes().data(), &cursor, sizeof cursor);
        }
      }
      if (piece != kCursor) {
        {
          const auto lease = must(space_.get(set_, piece), "a piece of work");
          work = read<std::uint64_t>(lease.bytes());
        }
        must(space_.remove(set_, piece), "a piece of work that is done");
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

 private:
  static constexpr ObjectId kCursor{0};

  template <class T, class Bytes>
  static T read(const Bytes& bytes) {
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

  Space& space_;
  SetId set_;
};

}  // namespace

int main() {
  const unsigned rank = number_from("KRG_RANK");
  const unsigned ranks = number_from("KRG_SIZE");
  constexpr std::uint64_t kWork = 400;

  const auto space = must(Space::connect(), "connecting to krgd");
  WorkQueue queue(*space);
  Meeting meeting(*space, ranks);
  SetOptions options;
  options.object_bytes = sizeof(std::uint64_t);
  const SetId sums = must(space->open("example.sum", options), "the sum");

  if (rank == 0) {
    for (std::uint64_t i = 1; i <= kWork; ++i) queue.put(i);
    queue.close();
  }
  std::uint64_t done = 0;
  for (std::uint64_t work = 0; queue.take(work); ++done) {
    auto lease = must(space->grab(sums, ObjectId{0}), "the sum");
    std::uint64_t sum = 0;
    std::memcpy(&sum, lease.bytes().data(), sizeof sum);
    sum += work * work;
    std::memcpy(lease.bytes().data(), &sum, sizeof sum);
  }
  std::printf("rank %u has done %llu pieces\n", rank, static_cast<unsigned long long>(done));
  meeting.wait();
  if (rank != 0) return 0;

  const auto lease = must(space->get(sums, ObjectId{0}), "the sum");
  std::uint64_t sum = 0;
  std::memcpy(&sum, lease.bytes().data(), sizeof sum);
  const std::uint64_t right = kWork * (kWork + 1) * (2 * kWork + 1) / 6;
  std::printf("the sum of %llu squares is %llu: %s\n", static_cast<unsigned long long>(kWork),
              static_cast<unsigned long long>(sum), sum == right ? "right" : "WRONG");
  return sum == right ? 0 : 1;
}
