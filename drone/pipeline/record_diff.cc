#include "drone/pipeline/record_diff.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"
#include "common/value/value.h"

namespace chartly::drone {
namespace {

constexpr size_t kMaxFields = 256;
constexpr size_t kMaxQuarantines = 64;
constexpr size_t kExamplesOfField = 3;
constexpr int kExamplesOfRecords = 5;
constexpr size_t kMaxKeyShown = 200;
constexpr size_t kMaxValueShown = 120;
constexpr size_t kMaxMessageShown = 120;
constexpr size_t kMaxRecordShown = 1024;
// What all examples of fields may take; fields past it are told without.
constexpr size_t kMaxExampleBytes = size_t{16} << 10;
constexpr size_t kBytesOfRecord = 128;  // what it takes beside its text

absl::string_view PrefixOf(Role role) {
  switch (role) {
    case Role::kDim:
      return "dims.";
    case Role::kMeasure:
      return "measures.";
    case Role::kAttr:
      return "attrs.";
    default:
      return "";
  }
}

// Cut at the beginning of a character.
std::string Cut(absl::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return absl::StrCat(text.substr(0, most), "…");
}

size_t BytesOf(const std::string& key, const std::vector<std::pair<std::string, std::string>>& fields) {
  size_t bytes = key.size() + kBytesOfRecord;
  for (const auto& [name, value] : fields) bytes += name.size() + value.size() + kBytesOfRecord / 2;
  return bytes;
}

}  // namespace

std::string RecordDiff::KeyOf(const Fields& fields) const {
  std::string text;
  for (const auto& [name, value] : fields) {
    absl::string_view dim = name;
    if (!absl::ConsumePrefix(&dim, "dims.")) continue;
    if (!key_.empty() && std::find(key_.begin(), key_.end(), dim) == key_.end()) continue;
    // Without the type: that a dim became text changes the record and not what it is about.
    absl::StrAppend(&text, text.empty() ? "" : ", ", dim, "=", absl::string_view(value).substr(value.find(' ') + 1));
  }
  return text;
}

absl::Status RecordDiff::Add(Side side, absl::string_view bytes) {
  ASSIGN_OR_RETURN(Batch batch, Batch::Parse(bytes));
  absl::MutexLock lock(&mu_);
  v1::ShadowCounts& counts = counts_[static_cast<size_t>(side)];
  counts.set_records(counts.records() + batch.rows());
  counts.set_filtered(counts.filtered() + batch.header().filtered());
  counts.set_quarantined(counts.quarantined() + batch.header().quarantined_size());
  for (const storage::v1::Quarantined& row : batch.header().quarantined()) {
    if (side == Side::kRunning) break;
    std::pair<std::string, std::string> kind(row.reason_code(), row.field());
    auto found = quarantines_.find(kind);
    if (found == quarantines_.end() && quarantines_.size() >= kMaxQuarantines) continue;
    v1::ShadowQuarantine& quarantine = found == quarantines_.end() ? quarantines_[kind] : found->second;
    if (quarantine.rows() == 0) quarantine.set_message(Cut(row.message(), kMaxMessageShown));
    quarantine.set_rows(quarantine.rows() + 1);
  }
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    Fields fields;
    for (const BatchColumn& column : batch.columns()) {
      absl::string_view prefix = PrefixOf(column.role());
      if (prefix.empty() || column.IsNull(row)) continue;
      fields.emplace_back(absl::StrCat(prefix, column.name()),
                          absl::StrCat(ValueTypeName(column.type()), " ", column.Get(row).ToText()));
    }
    std::sort(fields.begin(), fields.end());
    AddRecord(side, std::move(fields));
  }
  return absl::OkStatus();
}

bool RecordDiff::IsLeftOut(const std::string& key) const {
  return halvings_ > 0 && std::hash<std::string>()(key) % (size_t{1} << std::min(halvings_, 40)) != 0;
}

void RecordDiff::AddRecord(Side side, Fields fields) {
  const std::string key = KeyOf(fields);
  if (IsLeftOut(key)) {
    ++left_out_[static_cast<size_t>(side)];
    return;
  }
  std::deque<Waiting>& waiting = waiting_[key];
  if (waiting.empty() || waiting.front().side == side) {
    bytes_ += BytesOf(key, fields);
    waiting.push_back({side, ++arrivals_, std::move(fields)});
    while (bytes_ > max_bytes_ && halvings_ < 40) LeaveOutHalf();
    return;
  }
  Waiting other = std::move(waiting.front());
  waiting.pop_front();
  bytes_ -= BytesOf(key, other.fields);
  if (waiting.empty()) waiting_.erase(key);
  const bool running = side == Side::kRunning;
  Compare(key, running ? fields : other.fields, running ? other.fields : fields);
}

void RecordDiff::LeaveOutHalf() {
  ++halvings_;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (!IsLeftOut(it->first)) {
      ++it;
      continue;
    }
    for (const Waiting& record : it->second) {
      ++left_out_[static_cast<size_t>(record.side)];
      bytes_ -= BytesOf(it->first, record.fields);
    }
    it = waiting_.erase(it);
  }
}

void RecordDiff::Compare(const std::string& key, const Fields& running, const Fields& tried) {
  if (running == tried) {
    ++same_;
    return;
  }
  ++changed_;
  auto before = running.begin();
  auto after = tried.begin();
  while (before != running.end() || after != tried.end()) {
    const bool lost = after == tried.end() || (before != running.end() && before->first < after->first);
    const bool added = !lost && (before == running.end() || after->first < before->first);
    if (lost) {
      NoteChange(key, before->first, before->second, "");
    } else if (added) {
      NoteChange(key, after->first, "", after->second);
    } else if (before->second != after->second) {
      NoteChange(key, before->first, before->second, after->second);
    }
    if (!added) ++before;
    if (!lost) ++after;
  }
}

void RecordDiff::NoteChange(const std::string& key, const std::string& field, absl::string_view before,
                            absl::string_view after) {
  auto found = differences_.find(field);
  if (found == differences_.end() && differences_.size() >= kMaxFields) return;
  Difference& difference = found == differences_.end() ? differences_[field] : found->second;
  if (++difference.records > static_cast<int64_t>(kExamplesOfField)) return;
  v1::ShadowChange& example = difference.examples.emplace_back();
  example.set_key(Cut(key, kMaxKeyShown));
  example.set_before(Cut(before, kMaxValueShown));
  example.set_after(Cut(after, kMaxValueShown));
}

void RecordDiff::DescribeUnpaired(v1::ShadowResult& result) {
  std::vector<std::pair<const std::string*, const Waiting*>> unpaired;
  for (const auto& [key, records] : waiting_) {
    for (const Waiting& record : records) unpaired.emplace_back(&key, &record);
  }
  std::sort(unpaired.begin(), unpaired.end(),
            [](const auto& a, const auto& b) { return a.second->number < b.second->number; });
  for (const auto& [key, record] : unpaired) {
    const bool lost = record->side == Side::kRunning;
    if (lost) result.set_lost(result.lost() + 1);
    if (!lost) result.set_added(result.added() + 1);
    auto& examples = lost ? *result.mutable_lost_records() : *result.mutable_added_records();
    if (examples.size() >= kExamplesOfRecords) continue;
    std::string text;
    for (const auto& [name, value] : record->fields) {
      absl::StrAppend(&text, text.empty() ? "" : ", ", name, "=", absl::string_view(value).substr(value.find(' ') + 1));
    }
    v1::ShadowRecord& example = *examples.Add();
    example.set_key(Cut(*key, kMaxKeyShown));
    example.set_fields(Cut(text, kMaxRecordShown));
  }
}

void RecordDiff::Describe(v1::ShadowResult& result) {
  absl::MutexLock lock(&mu_);
  *result.mutable_running() = counts_[static_cast<size_t>(Side::kRunning)];
  *result.mutable_shadow() = counts_[static_cast<size_t>(Side::kTried)];
  result.set_same(same_);
  result.set_changed(changed_);
  result.set_uncompared(std::max(left_out_[0], left_out_[1]));
  DescribeUnpaired(result);
  std::vector<std::pair<std::string, Difference>> fields(differences_.begin(), differences_.end());
  std::stable_sort(fields.begin(), fields.end(),
                   [](const auto& a, const auto& b) { return a.second.records > b.second.records; });
  size_t example_bytes = 0;
  for (auto& [name, difference] : fields) {
    v1::ShadowField& field = *result.add_fields();
    field.set_field(name);
    field.set_records(difference.records);
    for (v1::ShadowChange& example : difference.examples) {
      example_bytes += example.ByteSizeLong();
      if (example_bytes <= kMaxExampleBytes) *field.add_examples() = std::move(example);
    }
  }
  for (auto& [kind, quarantine] : quarantines_) {
    quarantine.set_reason(kind.first);
    quarantine.set_field(kind.second);
    *result.add_quarantines() = std::move(quarantine);
  }
}

}  // namespace chartly::drone
