#include "print_table.h"

#include <set>

#include "krg/protocol/table.h"

namespace krg::kddm::check {

std::string print_tables() {
  std::string text;
  for (const TableView& table : tables()) {
    text += "**" + std::string(table.title) + "**\n\n| " + std::string(table.rows_are) + " |";
    std::string line = "|---|";
    for (unsigned column = 0; column < table.column_count; ++column) {
      text += " " + std::string(name_of(table.columns[column])) + " |";
      line += "---|";
    }
    text += "\n" + line + "\n";
    std::set<Rule> used;
    for (unsigned row = 0; row < table.row_count; ++row) {
      text += "| " + std::string(table.rows[row]) + " |";
      for (unsigned column = 0; column < table.column_count; ++column) {
        const Rule rule = table.at(row, column);
        text += " " + std::string(name_of(rule)) + " |";
        if (rule != Rule::impossible) used.insert(rule);
      }
      text += "\n";
    }
    text += "\n";
    for (const Rule rule : used) {
      text += "* `" + std::string(name_of(rule)) + "`: " + std::string(text_of(rule)) + ".\n";
    }
    text += "\n";
  }
  return text;
}

std::string print_unused(const World::Coverage& coverage) {
  std::string text;
  for (const TableView& table : tables()) {
    for (unsigned row = 0; row < table.row_count; ++row) {
      for (unsigned column = 0; column < table.column_count; ++column) {
        const bool used = (coverage[static_cast<unsigned>(table.columns[column])] >> row & 1) != 0;
        if (used || table.at(row, column) == Rule::impossible) continue;
        text += std::string(table.title) + ": " + std::string(table.rows[row]) + ", " +
                std::string(name_of(table.columns[column])) + "\n";
      }
    }
  }
  return text;
}

}  // namespace krg::kddm::check
