#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "krg/testing/matchers.h"
#include "sample.h"

// What is written is read again; what a reader does not know is passed over or refused by name; a
// source that has not all of it yet, and a sink that is full, lose nothing.
namespace krg::ghost {
namespace {

std::vector<std::byte> sample() {
  MemorySink sink;
  EXPECT_TRUE(write_sample(sink));
  return std::move(sink).bytes();
}

TEST(GhostArchive, IsReadAsItWasWritten) {
  const auto bytes = sample();
  MemorySource source(bytes);
  Reader reader(source);
  ASSERT_OK(reader.head());
  EXPECT_EQ(reader.head()->kind, "checkpoint");

  auto section = reader.next();
  ASSERT_OK(section);
  ASSERT_TRUE(*section);
  EXPECT_EQ((*section)->name, "registers");
  EXPECT_EQ((*section)->version, 2);
  EXPECT_EQ((*section)->instance, 7u);
  const auto registers = reader.fields<Registers>();
  ASSERT_OK(registers);
  EXPECT_EQ(*registers, kRegisters);

  section = reader.next();
  ASSERT_OK(section);
  EXPECT_EQ((*section)->name, "colour");
  EXPECT_EQ((*section)->need, Need::optional);

  section = reader.next();
  ASSERT_OK(section);
  EXPECT_EQ((*section)->name, "memory");
  const auto first = reader.run();
  ASSERT_OK(first);
  EXPECT_EQ((*first)->address, 0x10000u);
  EXPECT_TRUE(std::ranges::equal((*first)->bytes, repetition(300)));
  EXPECT_LT(reader.counts().stored, 300u) << "repetition was not packed";
  const auto hole = reader.run();
  ASSERT_OK(hole);
  EXPECT_TRUE((*hole)->is_hole());
  EXPECT_EQ((*hole)->length, 0x5000u);
  const auto last = reader.run();
  ASSERT_OK(last);
  EXPECT_TRUE(std::ranges::equal((*last)->bytes, noise(100)));
  const auto none = reader.run();
  ASSERT_OK(none);
  EXPECT_FALSE(*none);
  const auto end = reader.next();
  ASSERT_OK(end);
  EXPECT_FALSE(*end);
  EXPECT_EQ(source.peek(1).error(), Errc::end_of_stream);
}

TEST(GhostArchive, KeepsLargeFieldsAndLargeRuns) {
  MemorySink sink;
  Writer writer(sink);
  const Registers large{1, std::vector<std::uint64_t>(500'000, 3), "many"};
  const auto piece = noise(kPieceBytes);
  ASSERT_OK(writer.begin({"migration", ""}));
  ASSERT_OK(writer.fields({"registers"}, large));
  ASSERT_OK(writer.begin_runs({"memory"}));
  ASSERT_OK(writer.run(~std::uint64_t{0} - kPieceBytes + 1, piece));
  ASSERT_OK(writer.end_runs());
  ASSERT_OK(writer.end());
  EXPECT_EQ(writer.written(), sink.bytes().size());

  MemorySource source(sink.bytes());
  Reader reader(source);
  ASSERT_OK(reader.next());
  const auto read = reader.fields<Registers>();
  ASSERT_OK(read);
  EXPECT_EQ(*read, large);
  ASSERT_OK(reader.next());
  const auto run = reader.run();
  ASSERT_OK(run);
  EXPECT_TRUE(std::ranges::equal((*run)->bytes, piece));
}

TEST(GhostArchive, RefusesTooLargeFieldsBeforeItWritesAny) {
  MemorySink sink;
  Writer writer(sink);
  ASSERT_OK(writer.begin({"migration", ""}));
  const std::size_t before = sink.bytes().size();
  const std::vector<std::byte> much(kFieldsBytesMax + 1);
  EXPECT_EQ(writer.fields({"much"}, Bytes(much)).error(), Errc::too_large);
  EXPECT_EQ(sink.bytes().size(), before);
  ASSERT_OK(writer.end());
}

TEST(GhostArchive, PassesOverUnknownOptionalSections) {
  const auto bytes = sample();
  MemorySource source(bytes);
  constexpr std::array kKnown{Known{"registers", 2}, Known{"memory", 1}};
  Reader reader(source, kKnown);
  ASSERT_OK(reader.next());
  const auto second = reader.next();
  ASSERT_OK(second);
  EXPECT_EQ((*second)->name, "memory") << "nothing of it is read";
  const auto end = reader.next();
  ASSERT_OK(end);
  EXPECT_FALSE(*end);
}

TEST(GhostArchive, RefusesUnknownRequiredSectionsByName) {
  const auto bytes = sample();
  MemorySource source(bytes);
  constexpr std::array kKnown{Known{"registers", 3}};
  Reader reader(source, kKnown);
  ASSERT_OK(reader.next());
  EXPECT_EQ(reader.next().error(), Errc::not_supported);
  EXPECT_EQ(reader.refused(), "section 'memory' version 1");
  EXPECT_EQ(reader.next().error(), Errc::not_supported) << "it stays refused";
}

TEST(GhostArchive, RefusesALaterVersionOfARequiredSection) {
  const auto bytes = sample();
  MemorySource source(bytes);
  constexpr std::array kKnown{Known{"registers", 1}, Known{"memory", 1}};
  Reader reader(source, kKnown);
  EXPECT_EQ(reader.next().error(), Errc::not_supported);
  EXPECT_EQ(reader.refused(), "section 'registers' version 2");
}

TEST(GhostArchive, TellsFieldsAndMemoryApart) {
  const auto bytes = sample();
  MemorySource source(bytes);
  Reader reader(source);
  ASSERT_OK(reader.next());
  EXPECT_EQ(reader.run().error(), Errc::corrupt);
  MemorySource again(bytes);
  Reader second(again);
  for (int i = 0; i < 3; ++i) ASSERT_OK(second.next());
  EXPECT_EQ(second.fields().error(), Errc::corrupt);
}

// Gives one byte more each time that it is asked for what it has not.
class SlowSource final : public Source {
 public:
  explicit SlowSource(Bytes all) : all_(all) {}
  Result<Bytes> peek(std::size_t size) override {
    if (at_ + size > here_) {
      here_ = std::min(here_ + 1, all_.size());
      return Error(Errc::would_block, "slow");
    }
    return all_.subspan(at_, size);
  }
  void consume(std::size_t size) noexcept override { at_ += size; }

 private:
  Bytes all_;
  std::size_t at_ = 0, here_ = 0;
};

// `call` until it does not say would_block.
template <class F>
auto patiently(F call) {
  for (;;) {
    auto result = call();
    if (result || result.error() != Errc::would_block) return result;
  }
}

TEST(GhostArchive, ComesByteByByte) {
  const auto bytes = sample();
  SlowSource source(bytes);
  Reader reader(source);
  ASSERT_OK(patiently([&] { return reader.next(); }));
  const auto registers = patiently([&] { return reader.fields<Registers>(); });
  ASSERT_OK(registers);
  EXPECT_EQ(*registers, kRegisters);
  ASSERT_OK(patiently([&] { return reader.next(); }));
  ASSERT_OK(patiently([&] { return reader.next(); }));
  std::uint64_t length = 0;
  for (;;) {
    const auto run = patiently([&] { return reader.run(); });
    ASSERT_OK(run);
    if (!*run) break;
    length += (*run)->length;
  }
  EXPECT_EQ(length, 300u + 0x5000 + 100);
  const auto end = patiently([&] { return reader.next(); });
  ASSERT_OK(end);
  EXPECT_FALSE(*end);
}

// Full after each write, until it is drained.
class NarrowSink final : public Sink {
 public:
  Status write(Bytes head, Bytes body) override {
    full_ = true;
    return under_.write(head, body);
  }
  bool full() const noexcept override { return full_; }
  void drain() noexcept { full_ = false; }
  const std::vector<std::byte>& bytes() const { return under_.bytes(); }

 private:
  MemorySink under_;
  bool full_ = false;
};

TEST(GhostArchive, WaitsForAFullSinkWithoutLosingAPart) {
  NarrowSink sink;
  Writer writer(sink);
  ASSERT_OK(writer.begin({"checkpoint", "krg test"}));
  EXPECT_EQ(writer.fields({"registers", 2, 7}, kRegisters).error(), Errc::would_block);
  sink.drain();
  ASSERT_OK(writer.fields({"registers", 2, 7}, kRegisters));
  sink.drain();
  ASSERT_OK(writer.fields({"colour", 1, 0, Need::optional}, wire::Empty{}));
  SectionHead memory{"memory"};
  memory.packing = Packing::zstd;
  EXPECT_EQ(writer.begin_runs(memory).error(), Errc::would_block);
  sink.drain();
  ASSERT_OK(writer.begin_runs(memory));
  EXPECT_EQ(writer.run(0x10000, repetition(300)).error(), Errc::would_block);
  sink.drain();
  ASSERT_OK(writer.run(0x10000, repetition(300)));
  EXPECT_EQ(writer.hole(0x20000, 0x5000).error(), Errc::would_block);
  sink.drain();
  ASSERT_OK(writer.hole(0x20000, 0x5000));
  sink.drain();
  ASSERT_OK(writer.run(0x30000, noise(100)));
  ASSERT_OK(writer.end_runs());
  ASSERT_OK(writer.end());
  EXPECT_EQ(sink.bytes(), sample());
}

class BrokenSink final : public Sink {
 public:
  explicit BrokenSink(int good) : good_(good) {}
  Status write(Bytes, Bytes) override {
    if (good_-- > 0) return {};
    return Error(Errc::no_space, "broken");
  }

 private:
  int good_;
};

TEST(GhostArchive, SaysOfABrokenSinkWhatTheSinkSaid) {
  for (int good = 0; good < 14; ++good) {
    BrokenSink sink(good);
    const Status status = write_sample(sink);
    if (good < 12) {
      ASSERT_FALSE(status) << good;
      EXPECT_EQ(status.error(), Errc::no_space);
    }
  }
}

}  // namespace
}  // namespace krg::ghost
