// TFLite models with TensorFlow Lite's C API on the CPU. An interpreter per worker and batch size.
#include <tensorflow/lite/c/c_api.h>
#include <tensorflow/lite/c/common.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>

#include "config.h"
#include "fault.h"
#include "runner.h"

// The library has this delegate built in; the package that it comes from lacks the header.
extern "C" {
struct TfLiteXNNPackDelegateOptions {
    int32_t num_threads;
    uint32_t flags;
    void* weights_cache;
};
TfLiteXNNPackDelegateOptions TfLiteXNNPackDelegateOptionsDefault(void);
TfLiteDelegate* TfLiteXNNPackDelegateCreate(const TfLiteXNNPackDelegateOptions* options);
void TfLiteXNNPackDelegateDelete(TfLiteDelegate* delegate);
}

namespace sut {

namespace {

// Its kernels for quantised graphs, which this version leaves off unless asked for (later ones do not).
constexpr uint32_t kSigned8 = 1;
constexpr uint32_t kUnsigned8 = 2;

const std::map<std::string, std::vector<std::string>> kOptions = {{"xnnpack", {"1", "0"}}};

const std::map<TfLiteType, DType> kTypes = {
    {kTfLiteFloat16, DType::f16}, {kTfLiteFloat32, DType::f32}, {kTfLiteFloat64, DType::f64},
    {kTfLiteInt8, DType::i8},     {kTfLiteUInt8, DType::u8},    {kTfLiteInt16, DType::i16},
    {kTfLiteInt32, DType::i32},   {kTfLiteUInt32, DType::u32},  {kTfLiteInt64, DType::i64},
    {kTfLiteUInt64, DType::u64},  {kTfLiteBool, DType::boolean}};

struct Deleter {
    void operator()(TfLiteModel* model) const { TfLiteModelDelete(model); }
    void operator()(TfLiteInterpreterOptions* options) const { TfLiteInterpreterOptionsDelete(options); }
    void operator()(TfLiteInterpreter* interpreter) const { TfLiteInterpreterDelete(interpreter); }
    void operator()(TfLiteDelegate* delegate) const { TfLiteXNNPackDelegateDelete(delegate); }
};

template <typename T>
using Owned = std::unique_ptr<T, Deleter>;

void keep_message(void* kept, const char* format, va_list arguments) {
    char text[512];
    std::vsnprintf(text, sizeof text, format, arguments);
    *static_cast<std::string*>(kept) = text;
}

DType type_of(const std::string& model, const TfLiteTensor* tensor) {
    const auto known = kTypes.find(TfLiteTensorType(tensor));
    if (known == kTypes.end())
        throw bad_input(model, std::string("'") + TfLiteTensorName(tensor) +
                                   "' has a type that is not supported; only plain numbers are");
    return known->second;
}

Shape shape_of(const TfLiteTensor* tensor) {
    Shape shape;
    for (int32_t axis = 0; axis < TfLiteTensorNumDims(tensor); ++axis)
        shape.push_back(TfLiteTensorDim(tensor, axis));
    return shape;
}

TensorSpec spec_of(const std::string& model, const TfLiteTensor* tensor) {
    const std::string name = TfLiteTensorName(tensor);
    TensorSpec spec{name, type_of(model, tensor), {}};
    const TfLiteIntArray* open = tensor->dims_signature;
    const Shape shape = shape_of(tensor);
    for (size_t axis = 0; axis < shape.size(); ++axis) {
        const bool told = open != nullptr && static_cast<size_t>(open->size) == shape.size();
        const int64_t size = told ? open->data[axis] : shape[axis];
        spec.dims.push_back({std::max<int64_t>(size, 0), name + "." + std::to_string(axis)});
    }
    return spec;
}

// A model's graph for one exact form of its inputs.
class Interpreter {
  public:
    Interpreter(TfLiteModel* model, int threads, bool xnnpack) {
        const Owned<TfLiteInterpreterOptions> options(TfLiteInterpreterOptionsCreate());
        TfLiteInterpreterOptionsSetNumThreads(options.get(), threads);
        TfLiteInterpreterOptionsSetErrorReporter(options.get(), keep_message, &message_);
        if (xnnpack) {
            auto wanted = TfLiteXNNPackDelegateOptionsDefault();
            wanted.num_threads = threads;
            wanted.flags |= kSigned8 | kUnsigned8;
            delegate_.reset(TfLiteXNNPackDelegateCreate(&wanted));
            TfLiteInterpreterOptionsAddDelegate(options.get(), delegate_.get());
        }
        interpreter_.reset(TfLiteInterpreterCreate(model, options.get()));
        if (!interpreter_) throw Fault("no interpreter can be made: " + message_);
    }

    // Gives the inputs their shapes and makes room; throws where the graph refuses them.
    void allocate(const std::vector<Shape>& shapes) {
        for (size_t place = 0; place < shapes.size(); ++place) {
            const auto number = static_cast<int32_t>(place);
            if (shape_of(TfLiteInterpreterGetInputTensor(interpreter_.get(), number)) == shapes[place])
                continue;
            const std::vector<int> sizes(shapes[place].begin(), shapes[place].end());
            check(TfLiteInterpreterResizeInputTensor(interpreter_.get(), number, sizes.data(),
                                                     static_cast<int32_t>(sizes.size())));
        }
        check(TfLiteInterpreterAllocateTensors(interpreter_.get()));
    }

    void invoke(const Inputs& inputs, Outputs* outputs) {
        for (size_t place = 0; place < inputs.size(); ++place) {
            TfLiteTensor* tensor =
                TfLiteInterpreterGetInputTensor(interpreter_.get(), static_cast<int32_t>(place));
            check(TfLiteTensorCopyFromBuffer(tensor, inputs[place], TfLiteTensorByteSize(tensor)));
        }
        check(TfLiteInterpreterInvoke(interpreter_.get()));
        outputs->resize(static_cast<size_t>(TfLiteInterpreterGetOutputTensorCount(interpreter_.get())));
        for (size_t place = 0; place < outputs->size(); ++place) {
            const auto* tensor =
                TfLiteInterpreterGetOutputTensor(interpreter_.get(), static_cast<int32_t>(place));
            Output& output = (*outputs)[place];
            output.type = kTypes.at(TfLiteTensorType(tensor));
            output.shape.resize(static_cast<size_t>(TfLiteTensorNumDims(tensor)));
            for (size_t axis = 0; axis < output.shape.size(); ++axis)
                output.shape[axis] = TfLiteTensorDim(tensor, static_cast<int32_t>(axis));
            output.data = static_cast<const std::byte*>(TfLiteTensorData(tensor));
        }
    }

    Signature signature(const std::string& model) const {
        Signature found;
        for (int32_t place = 0; place < TfLiteInterpreterGetInputTensorCount(interpreter_.get()); ++place)
            found.inputs.push_back(
                spec_of(model, TfLiteInterpreterGetInputTensor(interpreter_.get(), place)));
        for (int32_t place = 0; place < TfLiteInterpreterGetOutputTensorCount(interpreter_.get()); ++place)
            found.outputs.push_back(
                spec_of(model, TfLiteInterpreterGetOutputTensor(interpreter_.get(), place)));
        return found;
    }

  private:
    void check(TfLiteStatus status) const {
        if (status != kTfLiteOk) throw Fault("TensorFlow Lite refuses: " + message_);
    }

    std::string message_;
    Owned<TfLiteDelegate> delegate_;  // outlives the interpreter
    Owned<TfLiteInterpreter> interpreter_;
};

class TfliteBackend : public Backend {
  public:
    explicit TfliteBackend(const Opening& opening)
        : opening_(opening),
          xnnpack_(chosen_options("tflite", opening.options, kOptions).at("xnnpack") == "1"),
          model_(TfLiteModelCreateFromFile(opening.model.c_str())) {
        if (!model_) throw Fault("it is no TFLite model");
        signature_ = Interpreter(model_.get(), 1, false).signature(opening.model);
    }

    std::string name() const override { return "tflite"; }
    std::string version() const override { return TfLiteVersion(); }
    const Signature& signature() const override { return signature_; }

    std::unique_ptr<Runner> runner(const SampleForm& form, size_t batch) override {
        if (signature_.whole()) return whole_runner(call(form, 0), form.row_bytes);
        const auto fixed = static_cast<size_t>(signature_.fixed_batch().value_or(0));
        std::set<size_t> sizes{1, batch};
        if (fixed > 1 && batch % fixed == 0) sizes = {batch};
        std::map<size_t, Call> calls;
        for (const auto size : sizes) calls.emplace(size, call(form, size));
        return sized_runner(std::move(calls), form.row_bytes);
    }

  private:
    // Calls with exactly `size` samples; 0: full tensors without a sample axis.
    Call call(const SampleForm& form, size_t size) const {
        const auto interpreter = std::make_shared<Interpreter>(model_.get(), opening_.threads, xnnpack_);
        auto shapes = form.shapes;
        if (size > 0)
            for (auto& shape : shapes) shape.insert(shape.begin(), static_cast<int64_t>(size));
        interpreter->allocate(shapes);
        return [interpreter](const Inputs& inputs, size_t /*count*/, Outputs* outputs) {
            interpreter->invoke(inputs, outputs);
        };
    }

    Opening opening_;
    bool xnnpack_;
    Owned<TfLiteModel> model_;
    Signature signature_;
};

}  // namespace

std::string built_in_backend() { return "tflite"; }

std::unique_ptr<Backend> open_built_in(const Opening& opening) {
    return std::make_unique<TfliteBackend>(opening);
}

}  // namespace sut
