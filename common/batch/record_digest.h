// The pieces of a record id, as docs/formats/record_id.md defines them: what computing it from batches and from chunks
// shares. Pure functions; the classes are not thread-safe.
#ifndef CHARTLY_COMMON_BATCH_RECORD_DIGEST_H_
#define CHARTLY_COMMON_BATCH_RECORD_DIGEST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/batch/batch.h"
#include "common/batch/record_id.h"

namespace chartly {

// Makes the digests of the values of one field.
class FieldHasher {
 public:
  FieldHasher(Role role, absl::string_view name);
  Hash128 OfText(absl::string_view text);
  // Of unscaled * 10^-scale, `count` of them. Numbers that come again are mostly hashed once.
  void OfNumbers(const int64_t* unscaled, const uint8_t* scales, uint32_t count, Hash128* digests);
  // Requires: not null.
  Hash128 Of(const Value& value);

 private:
  // A number and its digest, where its hash says.
  struct Known {
    int64_t unscaled = 0;
    int64_t scale = -1;  // none yet
    Hash128 digest;
  };
  Hash128 OfNumber(int64_t unscaled, uint8_t scale);

  std::string bytes_;   // role and name, then the value that is hashed
  std::string number_;  // the same for a number, whose size is always the same
  const size_t prefix_bytes_;
  std::vector<Known> known_;
  uint32_t looked_up_ = 0;
  uint32_t found_ = 0;
};

// The digests of one field, a stretch of rows at a time.
class FieldDigests {
 public:
  explicit FieldDigests(bool in_key) : in_key_(in_key) {}
  virtual ~FieldDigests() = default;
  FieldDigests(const FieldDigests&) = delete;
  FieldDigests& operator=(const FieldDigests&) = delete;

  bool in_key() const { return in_key_; }
  // Of `count` rows from `first` on; anything for a row that is null.
  virtual void Read(uint32_t first, uint32_t count, Hash128* digests) = 0;
  virtual bool has_nulls() const = 0;
  virtual bool IsNull(uint32_t row) const = 0;

 private:
  const bool in_key_;
};
using FieldDigestsList = std::vector<std::unique_ptr<FieldDigests>>;

// Keys, and with `with_ids` ids, of `rows` rows with these fields, which are in canonical order: by role, then by name.
RecordIds HashRecords(absl::string_view profile_id, uint32_t rows, const FieldDigestsList& fields, bool with_ids);

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_RECORD_DIGEST_H_
