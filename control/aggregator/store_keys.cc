#include "control/aggregator/store_keys.h"

#include <memory>

#include "common/status/status.h"

namespace chartly::aggregator {

StoreKeys::StoreKeys(absl::string_view tenant) : tenant_(tenant) { tenant_.push_back('\0'); }

std::string StoreKeys::Kind(char kind) const {
  std::string key = tenant_;
  key.push_back(kind);
  return key;
}

std::string StoreKeys::Number(char kind, uint64_t number) const {
  std::string key = Kind(kind);
  AppendBigEndian64(key, number);
  return key;
}

std::string StoreKeys::Name(char kind, absl::string_view name) const {
  std::string key = Kind(kind);
  key.append(name.data(), name.size());
  key.push_back('\0');
  return key;
}

std::string StoreKeys::ProfileChunk(absl::string_view profile_id, uint64_t chunk) const {
  std::string key = ProfileChunkPrefix(profile_id);
  AppendBigEndian64(key, chunk);
  return key;
}

std::string StoreKeys::Unsealed(absl::string_view profile_id, uint64_t chunk) const {
  std::string key = UnsealedPrefix(profile_id);
  AppendBigEndian64(key, chunk);
  return key;
}

std::string StoreKeys::Part(absl::string_view profile_id, uint64_t first_batch) const {
  std::string key = Name('g', profile_id);
  AppendBigEndian64(key, first_batch);
  return key;
}

std::string StoreKeys::SealedChunk(uint64_t part, uint64_t index) const {
  std::string key = SealedChunkPrefix(part);
  AppendBigEndian64(key, index);
  return key;
}

std::string StoreKeys::DamagedChunk(uint64_t part, uint64_t index) const {
  std::string key = Number('z', part);
  AppendBigEndian64(key, index);
  return key;
}

std::string StoreKeys::Superseded(absl::string_view profile_id, uint64_t chunk, uint64_t batch) const {
  std::string key = SupersededPrefix(profile_id);
  AppendBigEndian64(key, chunk);
  AppendBigEndian64(key, batch);
  return key;
}

std::string StoreKeys::RunRows(absl::string_view run_id, uint64_t chunk, uint64_t batch) const {
  std::string key = RunRowsPrefix(run_id);
  AppendBigEndian64(key, chunk);
  AppendBigEndian64(key, batch);
  return key;
}

std::string StoreKeys::Spool(absl::string_view drone_id, absl::string_view spool_id) const {
  std::string key = Name('d', drone_id);
  key.append(spool_id.data(), spool_id.size());
  key.push_back('\0');
  return key;
}

std::string StoreKeys::Deletion(absl::string_view profile_id, uint64_t number) const {
  std::string key = DeletionPrefix(profile_id);
  AppendBigEndian64(key, number);
  return key;
}

std::string StoreKeys::QuarantineRunPrefix(uint64_t run_ordinal) {
  std::string id;
  AppendBigEndian64(id, ~run_ordinal);
  return id;
}

std::string StoreKeys::QuarantineId(uint64_t run_ordinal, uint64_t batch, uint32_t index) {
  std::string id = QuarantineRunPrefix(run_ordinal);
  AppendBigEndian64(id, batch);
  for (int shift = 24; shift >= 0; shift -= 8) id.push_back(static_cast<char>(index >> shift));
  return id;
}

std::string StoreKeys::ProfileQuarantine(absl::string_view profile_id, absl::string_view id) const {
  return Name('x', profile_id).append(id.data(), id.size());
}

absl::StatusOr<std::vector<std::string>> TenantsIn(const KvReader& kv) {
  std::vector<std::string> tenants;
  std::unique_ptr<KvIterator> it = kv.NewIterator();
  for (it->Seek(""); it->Valid(); it->Seek(tenants.back() + '\1')) {
    const absl::string_view key = it->key();
    const size_t end = key.find('\0');
    if (end == key.npos)
      return Error(absl::StatusCode::kDataLoss, "STORE_DAMAGED", "a key of the store is of no tenant");
    tenants.emplace_back(key.substr(0, end));
  }
  RETURN_IF_ERROR(it->status());
  return tenants;
}

absl::string_view KeyName(absl::string_view key, size_t prefix) {
  key.remove_prefix(prefix);
  if (!key.empty()) key.remove_suffix(1);
  return key;
}

std::string NumberedKey(absl::string_view prefix, uint64_t number) {
  std::string key(prefix);
  AppendBigEndian64(key, number);
  return key;
}

uint64_t KeyNumber(absl::string_view key) { return key.size() < 8 ? 0 : ReadBigEndian64(key.substr(key.size() - 8)); }

}  // namespace chartly::aggregator
