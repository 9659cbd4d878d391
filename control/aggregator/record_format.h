// Writes records as one file, front to back. One object a file; not thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_FORMAT_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_FORMAT_H_

#include <memory>
#include <string>

#include "chartly/v1/aggregator.pb.h"
#include "common/batch/record_id.h"
#include "control/aggregator/export_schema.h"
#include "control/aggregator/record_projection.h"
#include "control/aggregator/record_scan.h"
#include "control/aggregator/record_view.h"

namespace chartly::aggregator {

class RecordFormat {
 public:
  virtual ~RecordFormat() = default;
  virtual const char* content_type() const = 0;
  virtual const char* extension() const = 0;  // csv
  // Whether rows come with their ids.
  virtual bool needs_ids() const = 0;

  // What stands before all records, and after them.
  virtual void Begin(std::string& out) = 0;
  virtual void End(std::string& out) = 0;
  // The rows that follow are of this block, which lives until the next call.
  virtual void Bind(const RecordBlock& block) = 0;
  // `id` is left alone unless needs_ids.
  virtual void Add(const RecordBlock& block, uint32_t row, const Hash128& id, std::string& out) = 0;
};

std::unique_ptr<RecordFormat> MakeNdjsonFormat(RecordProjection projection);
std::unique_ptr<RecordFormat> MakeCsvFormat(ExportSchema schema, bool guard_formulas);
std::unique_ptr<RecordFormat> MakeParquetFormat(ExportSchema schema);

// The columns of a block that hold the values of each column of a schema; finds the value of a row.
class SchemaBinding {
 public:
  explicit SchemaBinding(const ExportSchema& schema);
  void Bind(const ColumnSet& columns);
  // The column that holds a value of schema column `index` in the row; null if the field has none there.
  const ColumnData* Find(size_t index, uint32_t row) const;
  bool has_id() const { return has_id_; }
  bool has_provenance() const { return has_provenance_; }

 private:
  const ExportSchema& schema_;
  std::vector<std::vector<const ColumnData*>> columns_;
  bool has_id_ = false;
  bool has_provenance_ = false;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_FORMAT_H_
