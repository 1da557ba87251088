// A hash table over all nodes: each bucket is a shared object, as large as its entries.
//
// Every rank puts its own words in, then looks for everybody's.
#include <functional>
#include <string_view>

#include "example.h"

namespace {

using namespace example;

class HashTable {
 public:
  static constexpr std::uint64_t kBuckets = 256;

  explicit HashTable(Space& space) : space_(space) {
    SetOptions options;
    options.variable_size = true;
    options.object_bytes = 1 << 20;
    options.object_count = kBuckets;
    set_ = must(space.open("example.hash_table", options), "the table");
  }

  // Adds a line "key=value" to the key's bucket.
  void put(std::string_view key, std::string_view value) {
    const std::string line = std::string(key) + "=" + std::string(value) + "\n";
    auto lease = must(space_.grab(set_, bucket_of(key)), "a bucket");
    const std::size_t before = lease.bytes().size();
    must(space_.resize(lease, before + line.size()), "a larger bucket");
    std::memcpy(lease.bytes().data() + before, line.data(), line.size());
  }

  // "": there is no such key.
  std::string get(std::string_view key) {
    const auto lease = must(space_.get(set_, bucket_of(key)), "a bucket");
    const std::string_view entries(reinterpret_cast<const char*>(lease.bytes().data()),
                                   lease.bytes().size());
    const std::string wanted = std::string(key) + "=";
    for (std::size_t at = 0; at < entries.size();) {
      const std::size_t end = entries.find('\n', at);
      const std::string_view line = entries.substr(at, end - at);
      if (line.substr(0, wanted.size()) == wanted) return std::string(line.substr(wanted.size()));
      at = end + 1;
    }
    return "";
  }

 private:
  static ObjectId bucket_of(std::string_view key) {
    return ObjectId{std::hash<std::string_view>{}(key) % kBuckets};
  }

  Space& space_;
  SetId set_;
};

std::string key_of(unsigned rank, unsigned i) {
  return "word " + std::to_string(i) + " of rank " + std::to_string(rank);
}

}  // namespace

int main() {
  const unsigned rank = number_from("KRG_RANK");
  const unsigned ranks = number_from("KRG_SIZE");
  constexpr unsigned kWords = 500;

  const auto space = must(Space::connect(), "connecting to krgd");
  HashTable table(*space);
  Meeting meeting(*space, ranks);

  for (unsigned i = 0; i < kWords; ++i) table.put(key_of(rank, i), std::to_string(i * ranks));
  meeting.wait();

  unsigned found = 0;
  for (unsigned other = 0; other < ranks; ++other) {
    for (unsigned i = 0; i < kWords; ++i) {
      if (table.get(key_of(other, i)) == std::to_string(i * ranks)) ++found;
    }
  }
  const unsigned all = ranks * kWords;
  std::printf("rank %u found %u of %u words: %s\n", rank, found, all,
              found == all ? "right" : "WRONG");
  meeting.wait();
  return found == all ? 0 : 1;
}
