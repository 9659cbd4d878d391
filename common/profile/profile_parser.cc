#include "common/profile/profile_parser.h"

#include <re2/re2.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/profile/mapping_reader.h"
#include "common/profile/node_reader.h"
#include "common/profile/quality_reader.h"
#include "common/profile/schedule_reader.h"
#include "common/profile/source_reader.h"
#include "common/profile/yaml_document.h"
#include "common/status/status.h"
#include "common/text/sha256.h"

namespace chartly {
namespace {

constexpr int64_t kMostRetries = 1000;
constexpr int64_t kLeastCaptureBytes = int64_t{64} << 10;
constexpr int64_t kMostCaptureBytes = int64_t{1} << 40;
const absl::Duration kLongest = absl::Hours(24 * 365) * 100;

bool IsSemver(const std::string& text) {
  static const re2::RE2 pattern(
      "(0|[1-9][0-9]{0,8})\\.(0|[1-9][0-9]{0,8})\\.(0|[1-9][0-9]{0,8})(-[0-9A-Za-z.-]{1,64})?(\\+[0-9A-Za-z.-]{1,64})"
      "?");
  return re2::RE2::FullMatch(text, pattern);
}

class ProfileReader {
 public:
  ProfileReader(NodeReader& reader, Profile& profile) : reader_(reader), profile_(profile) {}

  void Read(const NodeAt& root) {
    Profile& profile = profile_;
    bool is_map = reader_.Map(
        root, {{"id", [&](const NodeAt& value) { ReadId(value); }},
               {"name", [&](const NodeAt& value) { reader_.Text(value, profile.name, 256); }},
               {"version", [&](const NodeAt& value) { ReadVersion(value); }},
               {"description", [&](const NodeAt& value) { reader_.LongText(value, profile.description, 8192); }},
               {"labels", [&](const NodeAt& value) { reader_.TextMap(value, profile.labels); }},
               {"source", [&](const NodeAt& value) { ReadSource(value, reader_, profile.source); }},
               {"schedule", [&](const NodeAt& value) { ReadSchedule(value, reader_, profile.schedule); }},
               {"placement", [&](const NodeAt& value) { ReadPlacement(value, reader_, profile.placement); }},
               {"rollout", [&](const NodeAt& value) { ReadRollout(value, reader_, profile.rollout); }},
               {"limits", [&](const NodeAt& value) { ReadLimits(value); }},
               {"retry", [&](const NodeAt& value) { ReadRetry(value); }},
               {"mapping", [&](const NodeAt& value) { ReadMapping(value, reader_, profile.mapping); }},
               {"filter", [&](const NodeAt& value) { reader_.LongText(value, profile.filter, 4096); }},
               {"key", [&](const NodeAt& value) { key_ = value; }},
               {"on_invalid", [&](const NodeAt& value) { ReadOnInvalid(value); }},
               {"checks", [&](const NodeAt& value) { ReadChecks(value, reader_, profile.checks); }},
               {"expect", [&](const NodeAt& value) { ReadExpect(value, reader_, profile.expect); }},
               {"freshness", [&](const NodeAt& value) { ReadPeriod(value, profile.freshness); }},
               {"retention", [&](const NodeAt& value) { ReadPeriod(value, profile.retention); }},
               {"capture", [&](const NodeAt& value) { ReadCapture(value); }}});
    if (!is_map) return;
    reader_.Require(root, "id", "bls-unemployment");
    reader_.Require(root, "version", "1.0.0");
    reader_.Require(root, "source", "{type: http_rest, url: https://api.example.gov/data.json}");
    reader_.Require(root, "mapping", "{FIELD: dims.geo.name}");
    CheckDims(root);
    CheckWatermark(root);
    CheckFleetRate(root);
    ReadKey();
    if (profile.name.empty()) profile.name = profile.id;
  }

 private:
  void ReadId(const NodeAt& at) {
    std::string id;
    reader_.Text(at, id);
    if (id.empty()) return;
    if (IsValidId(id)) {
      profile_.id = id;
    } else {
      reader_.Fault(
          at, "PROFILE_ID_INVALID",
          "an id has 1 to 63 lower-case letters, digits, \".\", \"_\" and \"-\" and begins with a letter or digit");
    }
  }

  void ReadVersion(const NodeAt& at) {
    std::string version;
    reader_.Text(at, version);
    if (version.empty()) return;
    if (IsSemver(version)) {
      profile_.version = version;
    } else {
      reader_.Fault(at, "PROFILE_VERSION_INVALID", "a version has three numbers, as 1.2.0 or 1.2.0-beta.1");
    }
  }

  void ReadLimits(const NodeAt& at) {
    LimitsConfig& limits = profile_.limits;
    reader_.Map(
        at,
        {{"max_records", [&](const NodeAt& value) { reader_.Integer(value, 1, 1'000'000'000, limits.max_records); }},
         {"max_pages", [&](const NodeAt& value) { reader_.Integer(value, 1, 1'000'000, limits.max_pages); }},
         {"max_bytes", [&](const NodeAt& value) { reader_.ByteSize(value, int64_t{1} << 40, limits.max_bytes); }},
         {"timeout",
          [&](const NodeAt& value) {
            reader_.Duration(value, absl::Milliseconds(100), absl::Minutes(10), limits.timeout);
          }},
         {"run_timeout",
          [&](const NodeAt& value) {
            reader_.Duration(value, absl::Seconds(1), absl::Hours(24 * 7), limits.run_timeout);
          }},
         {"rate", [&](const NodeAt& value) { reader_.Rate(value, limits.rate); }},
         {"fleet_rate", [&](const NodeAt& value) { ReadFleetRate(value); }},
         {"fleet_quota", [&](const NodeAt& value) { ReadFleetQuota(value); }}});
    if (limits.fleet.requests == 0) {
      reader_.RefuseKey(at, "fleet_quota", "it names who shares limits.fleet_rate; give that, too");
    }
  }

  void ReadFleetRate(const NodeAt& at) {
    RequestRate rate;
    reader_.Rate(at, rate);
    profile_.limits.fleet.requests = rate.requests;
    profile_.limits.fleet.period = rate.period;
  }

  void ReadFleetQuota(const NodeAt& at) {
    std::string name;
    reader_.Text(at, name);
    if (name.empty()) return;
    if (!IsValidId(name)) {
      return reader_.Invalid(at, "a name has 1 to 63 lower-case letters, digits, \".\", \"_\" and \"-\"");
    }
    profile_.limits.fleet.quota = std::move(name);
  }

  void CheckFleetRate(const NodeAt& root) {
    if (profile_.limits.fleet.requests == 0 || profile_.source.type == SourceType::kHttpRest) return;
    reader_.RefuseKey(Child(root, "limits"), "fleet_rate", "only a source of type: http_rest uses this key");
  }

  void ReadRetry(const NodeAt& at) {
    int64_t attempts = profile_.retry.max_attempts;
    reader_.Map(at, {{"max_attempts", [&](const NodeAt& value) { reader_.Integer(value, 1, 20, attempts); }},
                     {"budget", [&](const NodeAt& value) { ReadRetryBudget(value); }},
                     {"backoff", [&](const NodeAt& value) {
                        reader_.Duration(value, absl::Milliseconds(1), absl::Minutes(10), profile_.retry.backoff);
                      }}});
    profile_.retry.max_attempts = static_cast<int>(attempts);
  }

  void ReadRetryBudget(const NodeAt& at) {
    RequestRate budget;
    reader_.Rate(at, budget);
    if (budget.requests > kMostRetries) {
      return reader_.Invalid(at, absl::StrCat("a budget has at most ", kMostRetries, " retries"));
    }
    if (budget.requests > 0) profile_.retry.budget = budget;
  }

  void ReadOnInvalid(const NodeAt& at) {
    reader_.Choice<OnInvalid>(at, {{"quarantine", OnInvalid::kQuarantine}, {"fail_run", OnInvalid::kFailRun}},
                              profile_.on_invalid);
  }

  void ReadPeriod(const NodeAt& at, absl::Duration& out) { reader_.Duration(at, absl::Seconds(1), kLongest, out); }

  void ReadCapture(const NodeAt& at) {
    CaptureConfig capture;
    const bool is_map =
        reader_.Map(at, {{"max_bytes",
                          [&](const NodeAt& value) {
                            reader_.ByteSize(value, kMostCaptureBytes, capture.max_bytes);
                            if (capture.max_bytes < kLeastCaptureBytes) reader_.Invalid(value, "keep at least 64KiB");
                          }},
                         {"max_age", [&](const NodeAt& value) {
                            reader_.Duration(value, absl::Minutes(1), absl::Hours(24 * 365), capture.max_age);
                          }}});
    if (is_map) profile_.capture = capture;
  }

  bool HasTarget(absl::string_view target) const {
    return std::any_of(profile_.mapping.begin(), profile_.mapping.end(), [&](const MappingEntry& entry) {
      return target == absl::StrCat(FieldRolePrefix(entry.role), ".", entry.to);
    });
  }

  // The watermark is a field of the record or, without a role's prefix, of the source row.
  void CheckWatermark(const NodeAt& root) {
    const std::string& field = profile_.source.incremental.field;
    bool of_record = false;
    for (FieldRole role : {FieldRole::kDim, FieldRole::kMeasure, FieldRole::kAttr}) {
      std::string prefix = absl::StrCat(FieldRolePrefix(role), ".");
      of_record = of_record || field.compare(0, prefix.size(), prefix) == 0;
    }
    if (!of_record || HasTarget(field)) return;
    reader_.Fault(
        Child(Child(Child(root, "source"), "incremental"), "field"), "PROFILE_KEY_NOT_MAPPED",
        absl::StrCat("\"", field.substr(0, 64), "\" is not mapped; map it, or name a field of the source row"));
  }

  bool HasDim(absl::string_view name) const {
    return std::any_of(profile_.mapping.begin(), profile_.mapping.end(),
                       [&](const MappingEntry& entry) { return entry.role == FieldRole::kDim && name == entry.to; });
  }

  // Without dims every record would have the same key, and each would replace the one before.
  void CheckDims(const NodeAt& root) {
    bool has_dim = std::any_of(profile_.mapping.begin(), profile_.mapping.end(),
                               [](const MappingEntry& entry) { return entry.role == FieldRole::kDim; });
    if (profile_.mapping.empty() || has_dim) return;
    reader_.Fault(Child(root, "mapping"), "PROFILE_MAPPING_WITHOUT_DIMS",
                  "no field is mapped to dims., so records could not be told apart; map at least one");
  }

  void ReadKey() {
    if (key_.node == nullptr) return;
    std::set<std::string> dims;
    reader_.Items(key_, [&](const NodeAt& item) {
      std::string name;
      reader_.Text(item, name);
      if (name.empty()) return;
      if (name.compare(0, 5, "dims.") != 0 || !HasDim(absl::string_view(name).substr(5))) {
        return reader_.Fault(
            item, "PROFILE_KEY_NOT_MAPPED",
            absl::StrCat("\"", name.substr(0, 64), "\" is not a mapped dim; the key may name: ", DimNames()));
      }
      if (!dims.insert(name.substr(5)).second) reader_.Invalid(item, "the key names this dim twice");
    });
    if (key_.node->kind == YamlNode::Kind::kSequence && key_.node->items.empty()) {
      reader_.Invalid(key_, "the key is empty; name dims, or leave it out for all dims");
    }
    profile_.key.assign(dims.begin(), dims.end());
  }

  std::string DimNames() const {
    std::vector<std::string> names;
    for (const MappingEntry& entry : profile_.mapping) {
      if (entry.role == FieldRole::kDim) names.push_back("dims." + entry.to);
    }
    return names.empty() ? "(no dim is mapped)" : absl::StrJoin(names, ", ");
  }

  NodeReader& reader_;
  Profile& profile_;
  NodeAt key_{nullptr, ""};
};

// Calls visit(path, node) for the node and all below it.
template <typename Visit>
void VisitNodes(const YamlNode& node, const std::string& path, const Visit& visit) {
  visit(path, node);
  for (const YamlEntry& entry : node.entries) VisitNodes(entry.value, JoinPath(path, entry.key), visit);
  for (size_t i = 0; i < node.items.size(); ++i) VisitNodes(node.items[i], ItemPath(path, i), visit);
}

// Paths can be much longer than the text of their values, so only as many are kept as a good mapping can have.
void KeepPositions(const YamlNode& root, ProfileParseResult& result) {
  constexpr size_t kMaxPositions = 16384;
  for (const char* key : {"filter", "checks", "mapping"}) {
    const YamlNode* node = root.Find(key);
    if (node == nullptr) continue;
    VisitNodes(*node, key, [&](const std::string& path, const YamlNode& value) {
      if (result.positions.size() >= kMaxPositions) return;
      result.positions.emplace(path, std::make_pair(value.line, value.column));
    });
  }
}

}  // namespace

ProfileParseResult ParseProfile(absl::string_view yaml) {
  ProfileParseResult result;
  YamlNode root = ReadYaml(yaml, result.faults);
  if (result.ok() && root.kind == YamlNode::Kind::kNull) {
    result.faults.push_back(
        {0, 0, "", "PROFILE_EMPTY", "the text is empty; a profile has id, version, source and mapping"});
  }
  if (result.ok()) {
    NodeReader reader(result.faults);
    ProfileReader(reader, result.profile).Read({&root, ""});
    result.profile.revision = ContentHash(yaml);
    KeepPositions(root, result);
  }
  std::stable_sort(result.faults.begin(), result.faults.end(), [](const ProfileFault& a, const ProfileFault& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  return result;
}

std::string FormatFaults(absl::string_view filename, const std::vector<ProfileFault>& faults) {
  std::vector<std::string> lines;
  for (const ProfileFault& fault : faults) {
    std::string position = fault.line == 0 ? "" : absl::StrCat(":", fault.line, ":", fault.column);
    std::string path = fault.path.empty() ? "" : absl::StrCat(fault.path, ": ");
    lines.push_back(absl::StrCat(filename, position, ": ", path, fault.message));
  }
  return absl::StrJoin(lines, "\n");
}

absl::StatusOr<Profile> ParseProfileOrError(absl::string_view filename, absl::string_view yaml) {
  ProfileParseResult result = ParseProfile(yaml);
  if (result.ok()) return std::move(result.profile);
  return Error(absl::StatusCode::kInvalidArgument, "PROFILE_INVALID", FormatFaults(filename, result.faults));
}

std::string ContentHash(absl::string_view yaml) { return absl::StrCat("sha256:", Sha256Hex(yaml)); }

std::vector<std::pair<std::string, std::string>> FlattenProfile(absl::string_view yaml) {
  std::vector<ProfileFault> faults;
  YamlNode root = ReadYaml(yaml, faults);
  std::vector<std::pair<std::string, std::string>> fields;
  if (!faults.empty()) return fields;
  VisitNodes(root, "", [&](const std::string& path, const YamlNode& node) {
    bool leaf = node.entries.empty() && node.items.empty();
    if (leaf && !path.empty()) fields.emplace_back(path, node.text);
  });
  std::sort(fields.begin(), fields.end());
  return fields;
}

}  // namespace chartly
