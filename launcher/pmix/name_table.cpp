#include "name_table.h"

#include <algorithm>

namespace krg::pmix {

Status NameTable::publish(Published published) {
  if (published.name.empty()) return Error(Errc::invalid_argument, "a published name is empty");
  if (names_.contains(published.name)) return Errc::already_exists;
  const std::size_t more = size_of(published);
  if (names_.size() >= kNamesMax || more > kBytesMax - bytes_) return Errc::limit_reached;
  bytes_ += more;
  std::string name = published.name;
  names_.emplace(std::move(name), std::move(published));
  // A pulse: those who wait look again, those who come later find it.
  changed_.set();
  changed_.clear();
  return {};
}

Status NameTable::unpublish(const NameQuestion& question) {
  const auto taken = [&](const Published& p) {
    if (p.owner.name_space != question.asker.name_space) return false;
    if (question.names.empty()) return p.owner == question.asker;
    return std::find(question.names.begin(), question.names.end(), p.name) != question.names.end();
  };
  const std::size_t gone = std::erase_if(names_, [&](const auto& entry) {
    if (!taken(entry.second)) return false;
    bytes_ -= size_of(entry.second);
    return true;
  });
  if (gone == 0 && !question.names.empty()) return Errc::not_found;
  return {};
}

Names NameTable::find(const NameQuestion& question) const {
  Names names;
  for (const std::string& name : question.names) {
    if (const auto found = names_.find(name); found != names_.end()) {
      names.found.push_back(found->second);
    }
  }
  return names;
}

// Takes away what only its first reader shall see.
void NameTable::read(const Names& names) {
  for (const Published& p : names.found) {
    if (!p.first_read) continue;
    bytes_ -= size_of(p);
    names_.erase(p.name);
  }
}

Co<Result<Names>> NameTable::look_up(NameQuestion question, Deadline deadline) {
  const std::size_t wanted = std::min<std::size_t>(question.wait_for, question.names.size());
  Names names = find(question);
  while (names.found.size() < wanted) {
    KRG_CO_TRY(co_await changed_.wait(deadline));
    names = find(question);
  }
  if (names.found.empty()) co_return Errc::not_found;
  read(names);
  co_return names;
}

}  // namespace krg::pmix
