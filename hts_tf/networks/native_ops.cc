// TensorFlow operations for sparse convolutions.  sparse_convolution.py says what they compute and
// computes the same, to the bit, with TensorFlow's own operations where these are not there.

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/util/work_sharder.h"

namespace {

// Compiled for several processors, of which the loader picks the best.
#ifdef __x86_64__
#define VECTORISED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTORISED
#endif

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

// Sums into targets [begin, end) only.
VECTORISED void AddRows(const float* rows, const int32_t* source, const int32_t* target, int64_t n,
                        int64_t width, int64_t begin, int64_t end, float* sums) {
  std::fill(sums + begin * width, sums + end * width, 0.0f);
  for (int64_t i = 0; i < n; ++i) {
    if (source[i] < 0 || target[i] < begin || target[i] >= end) continue;
    const float* row = rows + source[i] * width;
    float* sum = sums + target[i] * width;
    for (int64_t k = 0; k < width; ++k) sum[k] += row[k];
  }
}

REGISTER_OP("HtsSumRows")
    .Input("rows: float")        // [m, width]
    .Input("source: int32")      // [n]
    .Input("target: int32")      // [n]
    .Input("num_targets: int32")  // scalar
    .Output("sums: float")       // [num_targets, width]
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* c) {
      c->set_output(0, c->Matrix(c->UnknownDim(), c->Dim(c->input(0), 1)));
      return absl::OkStatus();
    });

// sums[target[i]] += rows[source[i]], in the order of i, where neither is negative.
class SumRows : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor& rows = context->input(0);
    const Tensor& source_tensor = context->input(1);
    const Tensor& target_tensor = context->input(2);
    OP_REQUIRES(context, rows.dims() == 2 && source_tensor.shape() == target_tensor.shape(),
                absl::InvalidArgumentError("rows must be a matrix, source and target alike"));
    const int64_t width = rows.dim_size(1);
    const int64_t num_rows = rows.dim_size(0);
    const int64_t num_targets = context->input(3).scalar<int32_t>()();
    const int64_t n = source_tensor.NumElements();
    const int32_t* source = source_tensor.flat<int32_t>().data();
    const int32_t* target = target_tensor.flat<int32_t>().data();
    for (int64_t i = 0; i < n; ++i) {
      OP_REQUIRES(context, source[i] < num_rows && target[i] < num_targets,
                  absl::InvalidArgumentError("source or target is out of range"));
    }
    Tensor* sums = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({num_targets, width}), &sums));
    const float* from = rows.flat<float>().data();
    float* to = sums->flat<float>().data();
    // Every thread goes through all of i and adds what falls into its part of the targets: so the
    // order of additions does not depend on the number of threads.
    auto add = [=](int64_t begin, int64_t end) {
      AddRows(from, source, target, n, width, begin, end, to);
    };
    auto* threads = context->device()->tensorflow_cpu_worker_threads();
    const int64_t cost = width * (1 + n / std::max<int64_t>(num_targets, 1));
    tensorflow::Shard(threads->num_threads, threads->workers, num_targets, cost, add);
  }
};

REGISTER_KERNEL_BUILDER(Name("HtsSumRows").Device(tensorflow::DEVICE_CPU), SumRows);

REGISTER_OP("HtsPlanPair")
    .Attr("rows_multiple: int")
    .Attr("num_outputs: int")
    .Input("positions: uint16")  // [batch, frames, pixels]
    .Input("cells: int32")       // [65536, reach]
    .Input("taps: int32")        // [65536, reach]
    .Input("channel: int32")     // [frames, pixels]
    .Input("place: int32")       // [cells]
    .Input("outputs: int32")     // [classes, part size, span * span]
    .Output("tap: int32")        // [n]
    .Output("row: int32")        // [n]
    .Output("count: int32")      // [classes]
    .Output("output: int32")     // [m * span * span]
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* c) {
      c->set_output(0, c->Vector(c->UnknownDim()));
      c->set_output(1, c->Vector(c->UnknownDim()));
      c->set_output(2, c->Vector(c->Dim(c->input(5), 0)));
      c->set_output(3, c->Vector(c->UnknownDim()));
      return absl::OkStatus();
    });

// See SparseConv2DPair._plan.
class PlanPair : public OpKernel {
 public:
  explicit PlanPair(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("rows_multiple", &rows_multiple_));
    OP_REQUIRES_OK(context, context->GetAttr("num_outputs", &num_outputs_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& positions_tensor = context->input(0);
    const int32_t* cells = context->input(1).flat<int32_t>().data();
    const int32_t* taps = context->input(2).flat<int32_t>().data();
    const int32_t* channel = context->input(3).flat<int32_t>().data();
    const int32_t* place = context->input(4).flat<int32_t>().data();
    const Tensor& outputs_tensor = context->input(5);
    const int32_t* outputs = outputs_tensor.flat<int32_t>().data();
    const uint16_t* positions = positions_tensor.flat<uint16_t>().data();
    const int64_t batch = positions_tensor.dim_size(0);
    const int64_t pixels = context->input(3).NumElements();
    const int64_t reach = context->input(1).dim_size(1);
    const int64_t num_classes = outputs_tensor.dim_size(0);
    const int64_t part_size = outputs_tensor.dim_size(1);
    const int64_t span = outputs_tensor.dim_size(2);
    const int64_t class_size = batch * part_size;
    OP_REQUIRES(context, positions_tensor.NumElements() == batch * pixels,
                absl::InvalidArgumentError("positions do not fit to the channels"));

    // Which cells are touched: by class, then image, then place in the class's part of the image.
    std::vector<int32_t> row(num_classes * class_size, -1);
    std::vector<std::pair<int32_t, int32_t>> slices;  // tap, index in `row`
    slices.reserve(batch * pixels * reach);
    for (int64_t image = 0; image < batch; ++image) {
      for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        const int64_t position = positions[image * pixels + pixel];
        for (int64_t r = position * reach; r < (position + 1) * reach; ++r) {
          if (cells[r] < 0) continue;
          const int64_t kind = place[cells[r]] / part_size;
          const int64_t index = kind * class_size + image * part_size + place[cells[r]] % part_size;
          row[index] = 0;
          slices.emplace_back(taps[r] + channel[pixel], index);
        }
      }
    }
    Tensor* count = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(2, TensorShape({num_classes}), &count));
    std::vector<int32_t> output;
    output.reserve(slices.size() * span);
    int32_t num_rows = 0;
    for (int64_t kind = 0; kind < num_classes; ++kind) {
      const int32_t before = num_rows;
      for (int64_t image = 0; image < batch; ++image) {
        int32_t* part = row.data() + kind * class_size + image * part_size;
        for (int64_t index = 0; index < part_size; ++index) {
          if (part[index] < 0) continue;
          part[index] = num_rows++;
          const int32_t* reached = outputs + (kind * part_size + index) * span;
          for (int64_t s = 0; s < span; ++s) {
            output.push_back(reached[s] < 0 ? -1 : reached[s] + image * num_outputs_);
          }
        }
      }
      const int64_t missing = rows_multiple_ - (num_rows - before) % rows_multiple_;
      num_rows += missing;
      output.insert(output.end(), missing * span, -1);
      count->flat<int32_t>()(kind) = num_rows - before;
    }

    const int64_t n = slices.size();
    Tensor *tap = nullptr, *slice_row = nullptr, *output_tensor = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({n}), &tap));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({n}), &slice_row));
    OP_REQUIRES_OK(context, context->allocate_output(
                                3, TensorShape({static_cast<int64_t>(output.size())}), &output_tensor));
    for (int64_t i = 0; i < n; ++i) {
      tap->flat<int32_t>()(i) = slices[i].first;
      slice_row->flat<int32_t>()(i) = row[slices[i].second];
    }
    std::copy(output.begin(), output.end(), output_tensor->flat<int32_t>().data());
  }

 private:
  int64_t rows_multiple_;
  int64_t num_outputs_;
};

REGISTER_KERNEL_BUILDER(Name("HtsPlanPair").Device(tensorflow::DEVICE_CPU), PlanPair);

}  // namespace
