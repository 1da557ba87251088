// pmix/pmix_info.h: libpmix's key-value arrays, owned; and its values as ours.
//
// Model    an InfoList is built key by key and turned into Infos, the C array that libpmix takes.
// Threads  safe, each object owned by one thread.
// Blocks   never.
// Source   PMIx standard 4.1, chapter 3; libpmix 4.2.2
#pragma once

#include <pmix.h>
#include <pmix_server.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "krg/error/result.h"
#include "krg/pmix/exchange.h"
#include "krg/pmix/job.h"

namespace krg::pmix {

// An array of pmix_info_t that frees itself.
class Infos {
 public:
  Infos() = default;
  explicit Infos(pmix_data_array_t array) noexcept : array_(array) {}
  Infos(Infos&& other) noexcept : array_(std::exchange(other.array_, pmix_data_array_t{})) {}
  Infos& operator=(Infos&& other) noexcept {
    std::swap(array_, other.array_);
    return *this;
  }
  ~Infos();

  pmix_info_t* data() const noexcept { return static_cast<pmix_info_t*>(array_.array); }
  std::size_t size() const noexcept { return array_.size; }
  const pmix_data_array_t& array() const noexcept { return array_; }

 private:
  pmix_data_array_t array_{};
};

class InfoList {
 public:
  InfoList() : list_(PMIx_Info_list_start()) {}
  InfoList(const InfoList&) = delete;
  InfoList& operator=(const InfoList&) = delete;
  ~InfoList() { PMIx_Info_list_release(list_); }

  void text(const char* key, const std::string& value) { add(key, value.c_str(), PMIX_STRING); }
  // A map made by PMIx_generate_regex or PMIx_generate_ppn.
  void map(const char* key, const char* value) { add(key, value, PMIX_REGEX); }
  void rank(const char* key, pmix_rank_t value) { add(key, &value, PMIX_PROC_RANK); }
  void u16(const char* key, std::size_t value) {
    const auto narrow = static_cast<std::uint16_t>(value);
    add(key, &narrow, PMIX_UINT16);
  }
  void u32(const char* key, std::size_t value) {
    const auto narrow = static_cast<std::uint32_t>(value);
    add(key, &narrow, PMIX_UINT32);
  }
  void size(const char* key, std::size_t value) { add(key, &value, PMIX_SIZE); }
  void integer(const char* key, int value) { add(key, &value, PMIX_INT); }
  void flag(const char* key, bool value) { add(key, &value, PMIX_BOOL); }
  void process(const char* key, const ProcessName& name);
  void array(const char* key, InfoList& members);
  void add(const char* key, const void* value, pmix_data_type_t type);
  void copy(const pmix_info_t& info);

  Infos take();
  // Whether every addition was taken.
  bool ok() const noexcept { return ok_; }

 private:
  void* list_;
  bool ok_ = true;
};

pmix_proc_t to_proc(const ProcessName& name) noexcept;
ProcessName to_name(const pmix_proc_t& proc);
std::vector<ProcessName> to_names(const pmix_proc_t procs[], std::size_t count);

// What a C caller finds under `key`, or nullptr.
const pmix_value_t* find(const pmix_info_t info[], std::size_t count, const char* key) noexcept;
bool is_true(const pmix_info_t info[], std::size_t count, const char* key) noexcept;
std::optional<std::int64_t> to_integer(const pmix_value_t& value) noexcept;
// The time a caller is willing to wait, from PMIX_TIMEOUT; nothing if he gives none.
std::optional<std::chrono::seconds> timeout_of(const pmix_info_t info[],
                                               std::size_t count) noexcept;
// Texts, numbers and flags as text; what is none of these is left out.
KeyValues to_texts(const pmix_info_t info[], std::size_t count);

// The packed form in which values go to another node's libpmix.
Blob pack_infos(const pmix_info_t info[], std::size_t count);
// Errors  protocol_error
Result<Infos> unpack_infos(const Blob& packed, std::size_t count);
Blob pack_value(const pmix_value_t& value);
// Sets `value`, which the caller destructs.
Status unpack_value(const Blob& packed, pmix_value_t& value);

// libpmix's status for an error of ours.
pmix_status_t to_status(const Error& error) noexcept;
inline pmix_status_t to_status(const Status& status) noexcept {
  return status ? PMIX_SUCCESS : to_status(status.error());
}

}  // namespace krg::pmix
