// zipf_krg: the work of krg_kddm_zipf by krg's shared objects, as a task of krgrun.
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "krg/error/must.h"
#include "krg/task/space.h"
#include "zipf_work.h"

namespace {

using namespace krg;        // NOLINT
using namespace krg::kddm;  // NOLINT

std::uint64_t number_from(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) {
    std::fprintf(stderr, "zipf_krg: no %s: to be started by krgrun\n", variable);
    std::exit(2);
  }
  return std::strtoull(text, nullptr, 10);
}

// Where the tasks meet, and what they tell each other there.
struct Board {
  std::uint64_t arrived;
  double start;
  zipf_result all;
  std::uint64_t counted;
};

class Task {
 public:
  Task(Space& space, const zipf_plan& plan)
      : space_(space),
        plan_(plan),
        rank_(number_from("KRG_RANK")),
        ranks_(number_from("KRG_SIZE")) {
    SetOptions options;
    options.object_bytes = sizeof(zipf_object);
    options.object_count = plan.objects;
    objects_ = must(space.open("bench.zipf.objects", options), "the objects");
    options.object_bytes = sizeof(Board);
    options.object_count = 1;
    board_ = must(space.open("bench.zipf.board", options), "the board");
  }

  bool run() {
    for (std::uint64_t id = rank_; id < plan_.objects; id += ranks_) {
      const WriteLease lease = must(space_.grab(objects_, ObjectId{id}), "an object");
      zipf_write(reinterpret_cast<zipf_object*>(lease.bytes().data()), id, 0);
    }
    const std::unique_ptr<std::uint32_t, void (*)(void*)> draws(
        zipf_draws(&plan_, static_cast<unsigned>(rank_)), std::free);
    if (draws == nullptr) return false;
    meet([](Board&) {});
    if (rank_ == 0) edit([](Board& board) { board.start = zipf_now() + 0.2; });
    meet([](Board&) {});

    zipf_result mine;
    const auto operation = [](void* task, std::uint32_t id, int writes) {
      return static_cast<Task*>(task)->operate(id, writes != 0) ? 1 : 0;
    };
    if (zipf_run(&plan_, draws.get(), read().start, operation, this, &mine) == 0) return false;
    meet([](Board&) {});
    const std::uint64_t count = count_part();
    meet([&](Board& board) {
      board.all.done += mine.done;
      board.all.writes += mine.writes;
      board.all.late += mine.late;
      board.counted += count;
    });
    const Board board = read();
    return rank_ != 0 || zipf_report(&plan_, &board.all, board.counted) != 0;
  }

 private:
  bool operate(std::uint32_t id, bool writes) {
    bool whole = false;
    if (writes) {
      const WriteLease lease = must(space_.grab(objects_, ObjectId{id}), "an object to write");
      auto* const object = reinterpret_cast<zipf_object*>(lease.bytes().data());
      whole = zipf_is_whole(object, id) != 0;
      if (whole) zipf_write(object, id, object->count + 1);
    } else {
      const ReadLease lease = must(space_.get(objects_, ObjectId{id}), "an object to read");
      whole = zipf_is_whole(reinterpret_cast<const zipf_object*>(lease.bytes().data()), id) != 0;
    }
    if (!whole) std::fprintf(stderr, "zipf_krg: object %u is not whole\n", id);
    return whole;
  }

  std::uint64_t count_part() {
    std::uint64_t count = 0;
    for (std::uint64_t id = rank_; id < plan_.objects; id += ranks_) {
      const ReadLease lease = must(space_.get(objects_, ObjectId{id}), "an object to count");
      count += reinterpret_cast<const zipf_object*>(lease.bytes().data())->count;
    }
    return count;
  }

  template <class Change>
  void edit(Change&& change) {
    const WriteLease lease = must(space_.grab(board_, ObjectId{0}), "the board");
    Board board;
    std::memcpy(&board, lease.bytes().data(), sizeof board);
    change(board);
    std::memcpy(lease.bytes().data(), &board, sizeof board);
  }
  Board read() {
    const ReadLease lease = must(space_.get(board_, ObjectId{0}), "the board");
    Board board;
    std::memcpy(&board, lease.bytes().data(), sizeof board);
    return board;
  }
  // Changes the board, and returns when all tasks have done so. Each look at the board may take it
  // from another node, so none is taken while nothing can have changed.
  template <class Change>
  void meet(Change&& change) {
    edit([&](Board& board) {
      change(board);
      ++board.arrived;
    });
    ++meetings_;
    while (read().arrived < meetings_ * ranks_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  Space& space_;
  const zipf_plan plan_;
  const std::uint64_t rank_, ranks_;
  SetId objects_, board_;
  std::uint64_t meetings_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  zipf_plan plan{};
  if (zipf_read_plan(argc, argv, &plan) == 0) return 2;
  const std::unique_ptr<Space> space = must(Space::connect(), "connecting to krgd");
  return Task(*space, plan).run() ? 0 : 1;
}
