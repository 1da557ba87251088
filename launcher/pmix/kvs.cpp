#include "krg/pmix/kvs.h"

namespace krg::pmix {

Status Kvs::put(std::string_view key, std::string_view value) {
  if (key.empty()) return Error(Errc::invalid_argument, "a key is empty");
  if (const auto found = index_.find(key); found != index_.end()) {
    std::string& old = found->second->value;
    if (bytes_ - old.size() + value.size() > limits_.bytes) return Errc::limit_reached;
    bytes_ = bytes_ - old.size() + value.size();
    old = value;
    return {};
  }
  const std::size_t more = key.size() + value.size();
  if (entries_.size() >= limits_.entries || more > limits_.bytes - bytes_) {
    return Errc::limit_reached;
  }
  Entry& entry = entries_.emplace_back(Entry{std::string(key), std::string(value)});
  index_.emplace(entry.key, &entry);
  bytes_ += more;
  return {};
}

const std::string* Kvs::get(std::string_view key) const noexcept {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &found->second->value;
}

const Kvs::Entry* Kvs::at(std::size_t index) const noexcept {
  return index < entries_.size() ? &entries_[index] : nullptr;
}

}  // namespace krg::pmix
