#include "control/reporter/step_names.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "control/reporter/table.h"

namespace chartly::reporter {
namespace {

struct Collector {
  void Read(const std::string& name) {
    if (name.empty() || made.count(BareName(name)) > 0) return;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  void ReadAll(const std::vector<std::string>& all) {
    for (const std::string& name : all) Read(name);
  }
  void Make(const std::string& name) { made.insert(name); }

  void operator()(const FilterStep& step) { ReadAll(step.condition.names()); }
  void operator()(const DeriveStep& step) {
    ReadAll(step.arithmetic.names());
    Make(step.name);
  }
  void operator()(const GroupStep& step) {
    for (const GroupKey& key : step.keys) Read(key.column);
    for (const AggregateCall& call : step.calls) {
      Read(call.column);
      Read(call.other);
    }
    for (const GroupKey& key : step.keys) Make(key.name);
    for (const AggregateCall& call : step.calls) Make(call.name);
  }
  void operator()(const WindowStep& step) {
    Read(step.column);
    ReadAll(step.over);
    ReadAll(step.by);
    Make(step.name);
  }
  void operator()(const SortStep& step) {
    for (const SortKey& key : step.keys) Read(key.column);
  }
  void operator()(const TopStep& step) {
    Read(step.by.column);
    ReadAll(step.per);
  }
  void operator()(const PivotStep& step) {
    Read(step.column);
    Read(step.call.column);
    Read(step.call.other);
    makes_columns = true;
  }
  void operator()(const SelectStep& step) {
    for (const SelectStep::Item& item : step.items) Read(item.column);
    for (const SelectStep::Item& item : step.items) Make(item.name);
  }
  void operator()(const RegressStep& step) {
    Read(step.y);
    Read(step.x);
    Make(absl::StrCat(step.y, ".fitted"));
    Make(absl::StrCat(step.y, ".residual"));
  }

  std::vector<std::string> names;
  std::set<std::string> made;
  bool makes_columns = false;
};

}  // namespace

std::vector<std::string> NamesReadBy(const std::vector<Step>& steps) {
  Collector collector;
  for (const Step& step : steps) {
    // What a pivot makes is known only from the data: later names may be its columns.
    if (collector.makes_columns) break;
    std::visit(collector, step);
  }
  return collector.names;
}

}  // namespace chartly::reporter
