// Makes a profile's mapping and filter ready to run, and finds what is wrong with them. Internal to this folder.
#ifndef CHARTLY_COMMON_NORMALIZE_PROFILE_COMPILER_H_
#define CHARTLY_COMMON_NORMALIZE_PROFILE_COMPILER_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/normalize/expression.h"
#include "common/normalize/function.h"
#include "common/profile/profile.h"

namespace chartly {

struct CompiledField {
  MappingEntry entry;
  std::string source;  // for messages: period, or year + period
  std::string target;  // measures.gdp
  // Of paths; several for coalesce and concat, none for constants.
  std::vector<size_t> slots;
  std::vector<FunctionPtr> functions;
  // The table of `lookup`; a text is found without a copy.
  std::map<std::string, std::string, std::less<>> table;
  Cell constant;  // null for fields of the row; text of it is owned by constant_text
  std::string constant_text;
  std::optional<Value> min;  // exactly the number that the profile shows
  std::optional<Value> max;
  bool becomes_number = false;  // without a type, and a measure or one with bounds
  bool in_filter = false;
};

// Where a name of an expression comes from: a slot of the row, or a field of the record.
struct BoundName {
  bool of_record = false;
  size_t index = 0;  // slot, or index of fields
};

struct BoundExpression {
  Expression expression;
  std::vector<BoundName> names;  // as those of the expression
};

struct CompiledCheck {
  std::string reason;  // quality.positive
  std::string text;    // measures.price > 0
  BoundExpression expect;
};

struct CompiledProfile {
  std::vector<CompiledField> fields;
  std::vector<std::string> paths;
  std::optional<BoundExpression> filter;
  std::vector<CompiledCheck> checks;
  // Fields that are dims of the key, without constants: a row without any of them could not be told apart.
  std::vector<size_t> key_fields;
};

struct CompileFault {
  std::string path;  // in the YAML text: mapping.value.using[0]
  int line = 0;      // of the mapping entry; 0 for the filter and checks
  std::string reason;
  std::string message;
};

// The reason of a name that the mapping does not have: it may be there once other faults are mended.
inline constexpr char kReasonNameNotMapped[] = "PROFILE_NAME_NOT_MAPPED";

// Complete only if it adds no faults.
CompiledProfile CompileProfile(const Profile& profile, std::vector<CompileFault>& faults);

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_PROFILE_COMPILER_H_
