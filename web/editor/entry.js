// What the console takes from the libraries of the shared editor. `npm run build` bundles it into `libraries.js`,
// which is served; nothing of our own is in there.

export { defaultKeymap } from '@codemirror/commands';
export { Annotation, Compartment, EditorState } from '@codemirror/state';
export { Decoration, EditorView, ViewPlugin, WidgetType, drawSelection, keymap, placeholder } from '@codemirror/view';
export { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
export { yCollab, yUndoManagerKeymap } from 'y-codemirror.next';
export {
  Doc,
  UndoManager,
  applyUpdate,
  compareRelativePositions,
  createAbsolutePositionFromRelativePosition,
  createRelativePositionFromJSON,
  createRelativePositionFromTypeIndex,
  decodeRelativePosition,
  encodeRelativePosition,
  encodeStateVector,
} from 'yjs';
