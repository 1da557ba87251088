#include "pmix_info.h"

#include <cstdlib>
#include <cstring>

namespace krg::pmix {
namespace {

// A buffer of libpmix around bytes of ours, or filled by it.
class Buffer {
 public:
  Buffer() { PMIX_DATA_BUFFER_CONSTRUCT(&buffer_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { PMIX_DATA_BUFFER_DESTRUCT(&buffer_); }

  pmix_data_buffer_t* get() noexcept { return &buffer_; }
  Status load(const Blob& bytes) {
    auto* copy = static_cast<char*>(std::malloc(bytes.size() + 1));
    if (copy == nullptr) return Errc::no_memory;
    if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
    pmix_byte_object_t object{copy, bytes.size()};  // libpmix takes and later frees the copy.
    if (PMIx_Data_load(&buffer_, &object) != PMIX_SUCCESS) {
      return Error(Errc::protocol_error, "malformed PMIx data");
    }
    return {};
  }
  Blob unload() {
    pmix_byte_object_t object{nullptr, 0};
    if (PMIx_Data_unload(&buffer_, &object) != PMIX_SUCCESS) return {};
    const auto* from = reinterpret_cast<const std::byte*>(object.bytes);
    Blob bytes(from, from + object.size);
    std::free(object.bytes);
    return bytes;
  }

 private:
  pmix_data_buffer_t buffer_;
};

}  // namespace

Infos::~Infos() {
  if (array_.array != nullptr) PMIx_Data_array_destruct(&array_);
}

void InfoList::add(const char* key, const void* value, pmix_data_type_t type) {
  ok_ = PMIx_Info_list_add(list_, key, value, type) == PMIX_SUCCESS && ok_;
}

void InfoList::process(const char* key, const ProcessName& name) {
  const pmix_proc_t proc = to_proc(name);
  add(key, &proc, PMIX_PROC);
}

void InfoList::array(const char* key, InfoList& members) {
  const Infos infos = members.take();
  ok_ = ok_ && members.ok();
  add(key, &infos.array(), PMIX_DATA_ARRAY);
}

void InfoList::copy(const pmix_info_t& info) {
  ok_ = PMIx_Info_list_xfer(list_, &info) == PMIX_SUCCESS && ok_;
}

Infos InfoList::take() {
  pmix_data_array_t array{};
  const pmix_status_t status = PMIx_Info_list_convert(list_, &array);
  // An empty list is no error of ours.
  if (status != PMIX_SUCCESS) return {};
  return Infos(array);
}

pmix_proc_t to_proc(const ProcessName& name) noexcept {
  pmix_proc_t proc{};
  std::strncpy(proc.nspace, name.name_space.c_str(), sizeof proc.nspace - 1);
  proc.rank = name.rank;
  return proc;
}

ProcessName to_name(const pmix_proc_t& proc) {
  return {std::string(proc.nspace, strnlen(proc.nspace, sizeof proc.nspace)), proc.rank};
}

std::vector<ProcessName> to_names(const pmix_proc_t procs[], std::size_t count) {
  std::vector<ProcessName> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(to_name(procs[i]));
  return names;
}

const pmix_value_t* find(const pmix_info_t info[], std::size_t count, const char* key) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    if (std::strncmp(info[i].key, key, PMIX_MAX_KEYLEN) == 0) return &info[i].value;
  }
  return nullptr;
}

bool is_true(const pmix_info_t info[], std::size_t count, const char* key) noexcept {
  const pmix_value_t* value = find(info, count, key);
  // A key without a value is a flag that is set.
  return value != nullptr &&
         (value->type == PMIX_UNDEF || (value->type == PMIX_BOOL && value->data.flag));
}

std::optional<std::int64_t> to_integer(const pmix_value_t& value) noexcept {
  switch (value.type) {
    case PMIX_INT:
      return value.data.integer;
    case PMIX_INT32:
      return value.data.int32;
    case PMIX_INT64:
      return value.data.int64;
    case PMIX_UINT:
      return value.data.uint;
    case PMIX_UINT16:
      return value.data.uint16;
    case PMIX_UINT32:
      return value.data.uint32;
    case PMIX_UINT64:
      return static_cast<std::int64_t>(value.data.uint64);
    case PMIX_SIZE:
      return static_cast<std::int64_t>(value.data.size);
    case PMIX_STATUS:
      return value.data.status;
    default:
      return {};
  }
}

std::optional<std::chrono::seconds> timeout_of(const pmix_info_t info[],
                                               std::size_t count) noexcept {
  const pmix_value_t* value = find(info, count, PMIX_TIMEOUT);
  const auto seconds = value != nullptr ? to_integer(*value) : std::nullopt;
  if (!seconds || *seconds <= 0) return {};  // 0 is PMIx's way to say "for ever".
  return std::chrono::seconds(*seconds);
}

KeyValues to_texts(const pmix_info_t info[], std::size_t count) {
  KeyValues texts;
  for (std::size_t i = 0; i < count; ++i) {
    const pmix_value_t& value = info[i].value;
    const std::string key(info[i].key, strnlen(info[i].key, PMIX_MAX_KEYLEN));
    if (value.type == PMIX_STRING) {
      texts.emplace_back(key, value.data.string != nullptr ? value.data.string : "");
    } else if (value.type == PMIX_BOOL) {
      texts.emplace_back(key, value.data.flag ? "true" : "false");
    } else if (const auto number = to_integer(value)) {
      texts.emplace_back(key, std::to_string(*number));
    }
  }
  return texts;
}

Blob pack_infos(const pmix_info_t info[], std::size_t count) {
  Buffer buffer;
  if (count == 0 || PMIx_Data_pack(nullptr, buffer.get(), const_cast<pmix_info_t*>(info),
                                   static_cast<std::int32_t>(count), PMIX_INFO) != PMIX_SUCCESS) {
    return {};
  }
  return buffer.unload();
}

Result<Infos> unpack_infos(const Blob& packed, std::size_t count) {
  if (count == 0) return Infos();
  // No info packs into fewer bytes than this, so the count can not ask for more memory than it
  // brings.
  constexpr std::size_t kPackedMin = 4;
  if (count > packed.size() / kPackedMin) return Error(Errc::protocol_error, "malformed PMIx data");
  Buffer buffer;
  KRG_TRY(buffer.load(packed));
  pmix_data_array_t array{};
  array.type = PMIX_INFO;
  array.size = count;
  array.array = std::calloc(count, sizeof(pmix_info_t));
  if (array.array == nullptr) return Errc::no_memory;
  Infos infos(array);
  auto got = static_cast<std::int32_t>(count);
  if (PMIx_Data_unpack(nullptr, buffer.get(), infos.data(), &got, PMIX_INFO) != PMIX_SUCCESS ||
      static_cast<std::size_t>(got) != count) {
    return Error(Errc::protocol_error, "malformed PMIx data");
  }
  return infos;
}

Blob pack_value(const pmix_value_t& value) {
  Buffer buffer;
  if (PMIx_Data_pack(nullptr, buffer.get(), const_cast<pmix_value_t*>(&value), 1, PMIX_VALUE) !=
      PMIX_SUCCESS) {
    return {};
  }
  return buffer.unload();
}

Status unpack_value(const Blob& packed, pmix_value_t& value) {
  Buffer buffer;
  KRG_TRY(buffer.load(packed));
  std::int32_t got = 1;
  if (PMIx_Data_unpack(nullptr, buffer.get(), &value, &got, PMIX_VALUE) != PMIX_SUCCESS) {
    return Error(Errc::protocol_error, "malformed PMIx data");
  }
  return {};
}

pmix_status_t to_status(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::timed_out:
      return PMIX_ERR_TIMEOUT;
    case Errc::not_found:
      return PMIX_ERR_NOT_FOUND;
    case Errc::already_exists:
      return PMIX_ERR_DUPLICATE_KEY;
    case Errc::not_supported:
      return PMIX_ERR_NOT_SUPPORTED;
    case Errc::invalid_argument:
      return PMIX_ERR_BAD_PARAM;
    case Errc::denied:
      return PMIX_ERR_NO_PERMISSIONS;
    case Errc::limit_reached:
    case Errc::no_memory:
      return PMIX_ERR_OUT_OF_RESOURCE;
    case Errc::peer_down:
    case Errc::unreachable:
    case Errc::not_connected:
      return PMIX_ERR_UNREACH;
    default:
      return PMIX_ERROR;
  }
}

}  // namespace krg::pmix
