#include "krg/protocol/table.h"

#include "krg/base/assert.h"

namespace krg::kddm {
namespace {

using enum Rule;
constexpr Rule _ = Rule::impossible;

constexpr std::array kHomeColumns = {Kind::get,    Kind::grab, Kind::flush,  Kind::sync,
                                     Kind::remove, Kind::done, Kind::report, Kind::note};
constexpr std::array kCommandColumns = {Kind::fetch, Kind::inval, Kind::took, Kind::inquire};
constexpr std::array kReplyColumns = {Kind::data, Kind::grant, Kind::answer, Kind::ack};
constexpr std::array kOpColumns = {Kind::op_get,       Kind::op_grab,   Kind::op_flush,
                                   Kind::op_sync,      Kind::op_remove, Kind::op_put_read,
                                   Kind::op_put_write, Kind::op_filled, Kind::op_fill_failed};
constexpr unsigned kHomeRows = 7;
constexpr unsigned kCopyRows = 5;
constexpr unsigned kAskRows = 6;

// clang-format off
constexpr Rule kHome[kHomeRows][kHomeColumns.size()] = {
  // get, grab, flush, sync, remove, done, report, note
  /*away*/       {_, _, _, _, _, _, _, take_note},
  /*absent*/     {create, create, say_gone, say_absent, say_removed, _, known, _},
  /*idle*/       {lend, serve_grab, serve_flush, serve_sync, serve_remove, _, known, _},
  /*reading*/    {join, bar, bar, bar, bar, lent, known, _},
  /*busy*/       {queue, queue, queue, queue, queue, stepped, known, _},
  /*rebuilding*/ {queue, queue, queue, queue, queue, rebuilt, rebuild, _},
  /*lost*/       {say_lost, say_lost, _, say_lost, serve_remove, _, known, _},
};
constexpr Rule kCommand[kCopyRows][kCommandColumns.size()] = {
  //           fetch      inval    took     inquire
  /*none*/    {_,         _,       _,       tell},
  /*filling*/ {_,         _,       _,       _},
  /*spare*/   {send_copy, give_up, release, tell},
  /*read*/    {send_copy, give_up, _,       tell},
  /*write*/   {send_copy, give_up, _,       tell},
};
constexpr Rule kReply[kAskRows][kReplyColumns.size()] = {
  //           data        grant       answer  ack
  /*nothing*/ {take_push,  take_push,  _,      _},
  /*get*/     {take_read,  take_read,  close,  _},
  /*grab*/    {take_write, take_write, close,  count_ack},
  /*flush*/   {take_push,  take_push,  close,  _},
  /*sync*/    {take_push,  take_push,  close,  _},
  /*remove*/  {take_push,  take_push,  close,  _},
};
constexpr Rule kOp[kCopyRows][kOpColumns.size()] = {
  // get, grab, flush, sync, remove, put_read, put_write, filled, fill_failed
  /*none*/    {ask,        ask,         nothing_here, ask,  ask,  _,        _,         _, _},
  /*filling*/ {wait,       wait,        wait,         wait, wait, _,        _,  filled, unfilled},
  /*spare*/   {ask,        ask,         nothing_here, ask,  ask,  _,        _,         _, _},
  /*read*/    {lease_read, ask,         ask,          ask,  ask,  end_read, _,         _, _},
  /*write*/   {lease_read, lease_write, ask,          ask,  ask,  end_read, end_write, _, _},
};
// clang-format on

Rule home_at(unsigned row, unsigned column) { return kHome[row][column]; }
Rule command_at(unsigned row, unsigned column) { return kCommand[row][column]; }
Rule reply_at(unsigned row, unsigned column) { return kReply[row][column]; }
Rule op_at(unsigned row, unsigned column) { return kOp[row][column]; }

struct Column {
  Role role = Role::home;
  std::uint8_t number = 0xff;
};

constexpr auto kColumns = [] {
  std::array<Column, kKinds> columns;
  auto put = [&](Role role, const auto& kinds) {
    std::uint8_t number = 0;
    for (const Kind kind : kinds) columns[static_cast<unsigned>(kind)] = {role, number++};
  };
  put(Role::home, kHomeColumns);
  put(Role::command, kCommandColumns);
  put(Role::reply, kReplyColumns);
  put(Role::op, kOpColumns);
  return columns;
}();
static_assert(
    [] {
      for (const Column& column : kColumns) {
        if (column.number == 0xff) return false;
      }
      return true;
    }(),
    "every kind stands in one table");

template <std::size_t N>
constexpr std::array<Kind, 9> columns_of(const std::array<Kind, N>& kinds) {
  std::array<Kind, 9> columns{};
  for (std::size_t i = 0; i < N; ++i) columns[i] = kinds[i];
  return columns;
}

}  // namespace

std::string_view name_of(Rule rule) noexcept {
  switch (rule) {
    case Rule::impossible:
      return "-";
#define KRG_KDDM_RULE(name, text) \
  case Rule::name:                \
    return #name;
#include "krg/protocol/rules.def"
#undef KRG_KDDM_RULE
  }
  return "unknown";
}

std::string_view text_of(Rule rule) noexcept {
  switch (rule) {
    case Rule::impossible:
      return "an error with a report; nothing changes";
#define KRG_KDDM_RULE(name, text) \
  case Rule::name:                \
    return text;
#include "krg/protocol/rules.def"
#undef KRG_KDDM_RULE
  }
  return "unknown";
}

Role role_of(Kind kind) noexcept { return kColumns[static_cast<unsigned>(kind)].role; }

Rule rule_for(const Part& part, Kind kind) noexcept {
  KRG_DASSERT(static_cast<unsigned>(kind) < kKinds);
  const Column column = kColumns[static_cast<unsigned>(kind)];
  switch (column.role) {
    case Role::home:
      return kHome[static_cast<unsigned>(part.home.state)][column.number];
    case Role::command:
      return kCommand[static_cast<unsigned>(part.holder.copy)][column.number];
    case Role::reply:
      return kReply[static_cast<unsigned>(part.holder.asks)][column.number];
    case Role::op:
      return kOp[static_cast<unsigned>(part.holder.copy)][column.number];
  }
  return Rule::impossible;
}

std::array<TableView, 4> tables() noexcept {
  const std::array<std::string_view, 8> copies = {"none", "filling", "spare", "read", "write"};
  return {{
      {"Home",
       "state",
       {"away", "absent", "idle", "reading", "busy", "rebuilding", "lost"},
       columns_of(kHomeColumns),
       kHomeRows,
       kHomeColumns.size(),
       home_at},
      {"Holder, commands", "copy", copies, columns_of(kCommandColumns), kCopyRows,
       kCommandColumns.size(), command_at},
      {"Holder, replies",
       "asks",
       {"nothing", "get", "grab", "flush", "sync", "remove"},
       columns_of(kReplyColumns),
       kAskRows,
       kReplyColumns.size(),
       reply_at},
      {"Holder, ops of its node", "copy", copies, columns_of(kOpColumns), kCopyRows,
       kOpColumns.size(), op_at},
  }};
}

}  // namespace krg::kddm
