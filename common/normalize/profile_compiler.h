// Makes a profile's mapping and filter ready to run, and finds what is wrong with them. Internal to this folder.
#ifndef CHARTLY_COMMON_NORMALIZE_PROFILE_COMPILER_H_
#define CHARTLY_COMMON_NORMALIZE_PROFILE_COMPILER_H_

#include <optional>
#include <string>
#include <vector>

#include "common/normalize/expression.h"
#include "common/normalize/function.h"
#include "common/profile/profile.h"

namespace chartly {

struct CompiledField {
  MappingEntry entry;
  std::string target;  // measures.gdp
  size_t slot = 0;     // of paths; not for constants
  std::vector<FunctionPtr> functions;
  Cell constant;  // null for fields of the row; text of it is owned by constant_text
  std::string constant_text;
  std::optional<Value> min;  // exactly the number that the profile shows
  std::optional<Value> max;
  bool becomes_number = false;  // without a type, and a measure or one with bounds
  bool in_filter = false;
};

// Where a name of the filter comes from: a slot of the row, or a field of the record.
struct FilterName {
  bool of_record = false;
  size_t index = 0;  // slot, or index of fields
};

struct CompiledProfile {
  std::vector<CompiledField> fields;
  std::vector<std::string> paths;
  std::optional<Expression> filter;
  std::vector<FilterName> filter_names;
};

struct CompileFault {
  std::string path;  // in the YAML text: mapping.value.using[0]
  int line = 0;      // of the mapping entry; 0 for the filter
  std::string reason;
  std::string message;
};

// Complete only if it adds no faults.
CompiledProfile CompileProfile(const Profile& profile, std::vector<CompileFault>& faults);

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_PROFILE_COMPILER_H_
