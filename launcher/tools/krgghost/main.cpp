// krgghost: look into an archive of a task's state.
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "krg/cli/command.h"
#include "krg/cli/exit.h"
#include "krg/cli/parse.h"
#include "krg/cli/table.h"
#include "krg/ghost/file.h"
#include "krg/ghost/reader.h"

namespace krg::krgghost {
namespace {

using cli::Command;
using cli::Option;

constexpr std::array kShowOptions = {
    Option{"--json", "", "Print JSON for programs", "Options"},
};
constexpr std::array kCommands = {
    Command{"show", "Check an archive and list its sections", "[OPTION...] FILE", kShowOptions},
};
constexpr Command kKrgghost{"krgghost",
                            "Look into an archive of a task's state",
                            "COMMAND [OPTION...] FILE",
                            {},
                            kCommands,
                            false,
                            "Exit codes: 0 the archive is whole, 1 it is not, 2 bad usage. See "
                            "krgghost(1).\n"};

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

// Reads the section to its end, which checks it, and adds it to the table.
Status list_section(ghost::Reader& reader, const ghost::SectionHead& head, cli::Table& table) {
  std::uint64_t memory = 0, holes = 0;
  KRG_TRY_ASSIGN(const bool fields, reader.holds_fields());
  if (fields) {
    KRG_TRY(reader.fields());
  } else {
    for (;;) {
      KRG_TRY_ASSIGN(const auto run, reader.run());
      if (!run) break;
      (run->is_hole() ? holes : memory) += run->length;
    }
  }
  const ghost::Reader::Counts& counts = reader.counts();
  table.add({head.name, number(head.instance), std::int64_t{head.version},
             head.need == ghost::Need::required, fields ? "fields" : "memory",
             head.packing == ghost::Packing::zstd ? "zstd" : "plain", number(counts.parts),
             number(counts.content), fields ? cli::Cell() : cli::Cell(number(holes)),
             number(counts.stored)});
  return {};
}

struct Seen {
  ghost::ArchiveHead head;
  cli::Table sections{{"name", "instance", "version", "required", "holds", "packing", "parts",
                       "bytes", "holes", "stored"}};
};

Status look(ghost::FileSource& source, ghost::Reader& reader, Seen& seen) {
  KRG_TRY_ASSIGN(seen.head, reader.head());
  for (;;) {
    KRG_TRY_ASSIGN(const auto section, reader.next());
    if (!section) break;
    KRG_TRY(list_section(reader, *section, seen.sections));
  }
  if (source.peek(1)) return Error(Errc::corrupt, "bytes follow the end of the archive");
  return {};
}

std::string json_of(const Seen& seen, const Status& status) {
  nlohmann::ordered_json out;
  out["kind"] = seen.head.kind;
  out["producer"] = seen.head.producer;
  out["whole"] = status.has_value();
  out["sections"] = nlohmann::ordered_json::parse(seen.sections.json());
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

int show(const std::string& path, bool json) {
  auto source = ghost::FileSource::open(path);
  if (!source) {
    cli::refuse("krgghost", path + ": " + source.error().message());
    return cli::kFailed;
  }
  ghost::Reader reader(*source);
  Seen seen;
  const Status status = look(*source, reader, seen);
  if (!seen.head.kind.empty()) {
    const std::string text = json ? json_of(seen, status)
                                  : fmt::format("{} written by {}\n{}", seen.head.kind,
                                                seen.head.producer, seen.sections.text());
    if (const int printed = cli::print(text); printed != cli::kDone) return printed;
  }
  if (status) return cli::kDone;
  cli::refuse("krgghost",
              fmt::format("{}: at byte {}: {}", path, reader.offset(), status.error().message()));
  return cli::kFailed;
}

int main(std::span<const std::string_view> words) {
  std::string complaint;
  const auto args = cli::parse(kKrgghost, words, complaint);
  if (!args) return cli::refuse("krgghost", complaint);
  if (const auto answer = args->answer(kKrgghost)) return cli::print(*answer);
  if (args->rest.size() != 1) return cli::refuse("krgghost", "show: name one file");
  return show(args->rest.front(), args->has("--json"));
}

}  // namespace
}  // namespace krg::krgghost

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  return krg::krgghost::main(words);
}
