// The viewer for notebooks: `npm run build` in viewer/ writes it.
