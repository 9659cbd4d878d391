// What to give of each record: all of it, or the fields that a question names. Immutable after Parse.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_PROJECTION_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_PROJECTION_H_

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/batch/batch.h"

namespace chartly::aggregator {

class RecordProjection {
 public:
  struct Entry {
    enum class Kind { kField, kRole, kId, kProvenance };
    Kind kind = Kind::kField;
    Role role = Role::kDim;  // of a field or role
    std::string name;        // of a field
  };

  // Each text names one field or several with commas. InvalidArgument (FIELD_NAME_UNKNOWN) if a name is neither dims,
  // measures, attrs, provenance or id, nor a field of one of the first three.
  static absl::StatusOr<RecordProjection> Parse(const std::vector<std::string>& fields);

  bool everything() const { return entries_.empty(); }
  // In the order given, each once.
  const std::vector<Entry>& entries() const { return entries_; }
  bool Takes(Role role, const std::string& name) const;
  bool takes_provenance() const { return everything() || provenance_; }

 private:
  absl::Status Add(absl::string_view name);

  std::vector<Entry> entries_;
  std::set<Role> roles_;
  std::set<std::pair<Role, std::string>> fields_;
  bool provenance_ = false;
  bool id_ = false;
};

// "dims.geo.iso" gives kDim and "geo.iso". False if the prefix is none of dims., measures., attrs.
bool SplitFieldName(absl::string_view name, Role& role, std::string& rest);
// "dims", "measures", "attrs".
absl::string_view RoleName(Role role);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_PROJECTION_H_
